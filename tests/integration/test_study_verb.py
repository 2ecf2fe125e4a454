"""`mbnas study` on a real study: what is copied and pruned is whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import run_mbnas
from integration.conftest import TRIALS, RealStudy

import mbnas
from mbnas.cli import main
from mbnas.dashboard.about_view import about
from mbnas.dashboard.network_page import network_page
from mbnas.dashboard.trials_view import trials_page


def test_a_copy_is_pruned_exported_shown_and_gone_on_with(
    real_study: RealStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    assert main(["study", "copy", str(real_study.folder), str(copy)]) == 0
    said = capsys.readouterr().out
    assert f"study:   {copy}" in said
    assert f"sqlite:///{copy / 'study.db'}" in said
    (copy / "trials" / "00000" / ".model.onnx.4711").write_bytes(b"x" * 2_345_678)
    for options, word in ((["--dry-run"], "would be freed"), ([], "freed")):
        assert main(["study", "prune", str(copy), "--keep", "0", *options]) == 0
        said = capsys.readouterr().out
        assert "2.3 MB  left-overs of killed writes" in said
        assert word in said
    study = mbnas.open_study(copy)
    for member in study.front:
        mbnas.export(study, tmp_path / f"bundle-{member.number}", member)
    assert mbnas.write_report(study).exists()
    assert about(study)
    assert trials_page(study, "front", "number", False, 1)
    assert all(network_page(study, trial) for trial in study.trials)
    command = [copy if part == real_study.folder else part for part in real_study.command]
    result = run_mbnas(*command, "--trials", TRIALS + 1)
    assert result.returncode == 0, result.stderr
    assert f"found {TRIALS} evaluated trials; going on" in result.stdout


def test_refusals_are_one_line(real_study: RealStudy, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(real_study.folder)
    assert main(["study", "copy", folder, folder]) == 1
    assert capsys.readouterr().err == f"mbnas: {folder}: is there already; name a new folder\n"
    with pytest.raises(mbnas.StudyError):
        main(["study", "copy", folder, folder, "--debug"])
    with pytest.raises(SystemExit):
        main(["study"])
