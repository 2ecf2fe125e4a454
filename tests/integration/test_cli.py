"""The commands as a user calls them, on real images."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT, run_mbnas
from integration.conftest import TRIALS, RealStudy
from integration.studies import fake_search

from mbnas.cli import VERBS, main
from mbnas.cli.output import lasting_output
from mbnas.cli.search import _say_if_mostly_stopped
from mbnas.errors import SpaceError
from mbnas.search import Study, open_study

DRY_RUN = ["search", "digits_tiny", "--data", "digits", "--dry-run"]


def test_search_says_each_trial_the_front_and_what_to_do_next(real_study: RealStudy) -> None:
    lines = real_study.output.splitlines()
    assert [line for line in lines if line.startswith(f"{TRIALS}/{TRIALS}")]
    assert "The front" in real_study.output
    assert f"mbnas report {real_study.folder}" in real_study.output
    study = open_study(real_study.folder)
    own = [trial for trial in study.trials if trial.status != "reused"]
    assert len(own) == TRIALS
    assert all(trial.latency_ms and trial.curve for trial in own)


def test_the_same_command_goes_on_and_says_what_it_found(
    real_study: RealStudy, study_copy: Path
) -> None:
    command = [study_copy if part == real_study.folder else part for part in real_study.command]
    result = run_mbnas(*command, "--trials", TRIALS + 1)
    assert result.returncode == 0, result.stderr
    assert f"found {TRIALS} evaluated trials; going on" in result.stdout
    assert len(open_study(study_copy).trials) > len(open_study(real_study.folder).trials)
    other = run_mbnas(*command, "--trials", TRIALS + 1, "--batch-size", 16)
    assert other.returncode == 1
    assert "batch_size: 32 there, 16 now" in other.stderr


def test_report_writes_one_file_and_two_tables(study_copy: Path) -> None:
    result = run_mbnas("report", study_copy)
    assert result.returncode == 0, result.stderr
    assert {"report.html", "front.csv", "trials.csv"} <= {f.name for f in study_copy.iterdir()}
    assert str(study_copy / "report.html") in result.stdout


def test_dry_run_says_how_long_and_writes_nothing(real_study: RealStudy, tmp_path: Path) -> None:
    result = run_mbnas(
        *("search", real_study.space, "--data", f"folder:{real_study.images}"),
        *("--study", tmp_path / "new", "--trials", 50, "--epochs-total", 90),
        *("--dry-run", "--device", "cpu"),
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"would run 50 trials, at most about \d+ (s|min)", result.stdout)
    assert re.search(r"would run 90 epochs, as of \d+ trials", result.stdout)
    assert re.search(r"latency 0\.\d+ to \d\.\d+ ms", result.stdout)
    assert not (tmp_path / "new").exists()


def test_dry_run_says_what_comes_first_and_where_trials_are_stopped(
    real_study: RealStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*map(str, real_study.command), "--start", "mobilenet_v2", "--dry-run"]
    command[command.index(str(real_study.folder))] = str(tmp_path / "new")
    assert main([*command, "--reuse", str(real_study.folder)]) == 0
    said = capsys.readouterr().out
    assert "first     mobilenet_v2" in said
    assert f"known     what {real_study.folder} trained is taken over" in said
    assert "epochs; hopeless ones are stopped at " in said
    assert main([*command, "--no-stopping"]) == 0
    assert "hopeless" not in capsys.readouterr().out


def test_a_report_leaves_out_what_is_damaged_and_says_so(
    study_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study_copy / "trials" / "00001" / "result.json").write_text("{")
    assert main(["report", str(study_copy)]) == 0
    errors = capsys.readouterr().err
    assert errors.startswith("left out: ")
    assert "result.json: damaged" in errors
    page = (study_copy / "report.html").read_text()
    assert "Not everything can be shown" in page
    assert "result.json: damaged" in page


def test_it_is_said_where_nearly_all_networks_were_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = fake_search(tmp_path / "study").run(3)
    (trained, *_) = (one for one in study.trials if one.status == "trained")
    stopped = [replace(trained, number=at, status="stopped") for at in range(1, 40)]
    _say_if_mostly_stopped(Study(study.folder, study.record, study.space, [trained, *stopped]))
    assert "stopped: 39 of 40 networks" in capsys.readouterr().out
    few = [trained, *stopped[:20]]
    _say_if_mostly_stopped(Study(study.folder, study.record, study.space, few))
    assert capsys.readouterr().out == ""


def test_dry_run_of_a_study_that_goes_on_leaves_out_what_it_has_spent(
    real_study: RealStudy,
) -> None:
    own = [trial for trial in open_study(real_study.folder).trials if trial.status != "reused"]
    spent = sum(len(trial.curve) for trial in own)
    budget = ("--trials", TRIALS + 3, "--epochs-total", spent + 7)
    result = run_mbnas(*real_study.command, *budget, "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "would run 3 trials," in result.stdout
    assert "would run 7 epochs," in result.stdout
    result = run_mbnas(*real_study.command, "--epochs-total", 1, "--dry-run")
    assert "would run 0 epochs," in result.stdout


def test_space_checks_shows_and_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["space", "check", "cifar_mobile"]) == 0
    assert "points" in capsys.readouterr().out
    assert main(["space", "show", "nas_bench_macro"]) == 0
    assert "mbconv(kernel=5, expansion=6)" in capsys.readouterr().out
    assert main(["space", "sample", "digits_tiny", "-n", "2", "--seed", "1"]) == 0
    assert capsys.readouterr().out.count("parameters") == 2


def test_network_shows_references_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["network", "mobilenet_v1"]) == 0
    assert "4,231,976" in capsys.readouterr().out
    assert main(["network", "mobilenet_v2", "--resolution", "32", "--small", "--json"]) == 0
    text = capsys.readouterr().out
    (tmp_path / "a.json").write_text(text)
    assert main(["network", str(tmp_path / "a.json"), "--classes", "10", "--layers"]) == 0
    assert "head.classifier" in capsys.readouterr().out
    (tmp_path / "a.json").write_text(text.replace('"stem"', '"stm"'))
    assert main(["network", str(tmp_path / "a.json")]) == 1
    assert 'a.json: architecture: unknown key "stm"; did you mean "stem"' in capsys.readouterr().err


def test_every_shipped_space_loads(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = sorted((ROOT / "search_spaces").glob("*.toml"))
    assert len(shipped) >= 3
    for file in shipped:
        assert main(["space", "check", file.stem]) == 0
        assert main(["space", "check", str(file)]) == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["space", "check", "nowhere.toml"], "nowhere.toml: no such file"),
        (["search", "digits_tiny", "--data", "digit"], "digit"),
        (["search", "digits_tiny", "--data", "folder:nowhere"], "nowhere"),
        (["search", "digits_tiny", "--data", "digits", "--sampler", "tpee"], 'did you mean "tpe"'),
        (["search", "digits_tiny", "--data", "digits", "--epochs", "0"], "epochs = 0"),
        (["network", "mobilenet_v3"], 'did you mean "mobilenet_v'),
        (["network", "n" * 300], "cannot be read (File name too long)"),
        (
            ["search", "digits_tiny", "--data", "digits", "--limit", "params=1", "--dry-run"],
            "no network of the space was found to meet it",
        ),
        (
            ["search", "digits_tiny", "--data", "digits", "--address", "auto"],
            "--address auto: the engine auto joins no cluster; add --engine ray",
        ),
        (["doctor", "--engine", "workers", "--address", "10.0.0.1:6379"], "add --engine ray"),
        (
            ["search", "digits_tiny", "--data", "digits", "--start", "n" * 300],
            "cannot be read (File name too long)",
        ),
        (["bench", "mobilenet_v3"], 'did you mean "mobilenet_v'),
        (["bench", "torchvision:resnet_18"], 'did you mean "resnet18"'),
        (["bench", "nowhere.onnx"], "nowhere.onnx: no such file"),
        (["bench", "mobilenet_v1", "mobilenet_v2", "--profile"], "one network at a time"),
        (["bench", "mobilenet_v1", "--threads", "0"], "threads = 0"),
        (["calibrate", "nowhere.toml"], "nowhere.toml: no such file"),
        (["audit", "nowhere.toml", "--data", "digits"], "nowhere.toml: no such file"),
        (["audit", "digits_tiny", "--data", "digits", "--networks", "2"], "networks = 2"),
        (
            ["search", "digits_tiny", "--data", "digits", "--recipe", "nowhere.toml"],
            "nowhere.toml: cannot be read",
        ),
        (
            ["search", "digits_tiny", "--data", "digits", "--maximize", "acuracy"],
            'did you mean "accuracy"',
        ),
        ([*DRY_RUN, "--trials", "-3"], "trials = -3: must be at least 1"),
        ([*DRY_RUN, "--budget", "0"], "budget = 0 s: must be above 0"),
        ([*DRY_RUN, "--epochs-total", "-5"], "epochs in all = -5: must be at least 1"),
        ([*DRY_RUN, "--study", str(ROOT / "docs")], "holds other things and no study"),
        ([*DRY_RUN, "--study", str(ROOT / "README.md")], "README.md: cannot be read"),
        (["report", "nowhere"], "nowhere: no such folder"),
        (["export", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_1(
    command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said
    assert "Traceback" not in said


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(SpaceError):
        main(["space", "check", "nowhere.toml", "--debug"])


def test_ctrl_c_while_a_verb_is_loaded_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mbnas.cli.importlib.import_module", interrupted)
    assert main(["confirm", "nowhere"]) == 130
    assert capsys.readouterr().err == "mbnas: interrupted\n"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serach"],
        ["search", "digits_tiny"],
        ["search", "digits_tiny", "--data", "digits", "--limit", "latency=2"],
        ["search", "digits_tiny", "--data", "digits", "--budget", "2 weeks"],
        ["report", "studies/photos", "--out", ""],
    ],
)
def test_wrong_usage_is_exit_code_2(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command)
    assert stop.value.code == 2
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_each_verbs_help_teaches_by_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"  mbnas {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_in_the_readme_and_on_a_page(verb: str) -> None:
    assert f"mbnas {verb}" in (ROOT / "README.md").read_text()
    pages = (ROOT / "docs").glob("*.md")
    assert any(f"mbnas {verb}" in page.read_text() for page in pages)


def test_a_search_goes_on_when_nobody_reads_what_it_says_any_more(tmp_path: Path) -> None:
    study = tmp_path / "study"
    command = ["search", "digits_tiny", "--data", "digits", "--trials", "3", "--epochs", "1"]
    reader, writer = os.pipe()
    searching = subprocess.Popen(
        [sys.executable, "-m", "mbnas", *command, "--study", str(study)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    with os.fdopen(reader) as said:
        assert "images read" in said.readline()
    _, errors = searching.communicate()
    assert (searching.returncode, errors) == (0, "")
    assert len(open_study(study).trials) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_words_that_cannot_be_written_are_dropped() -> None:
    with Path("/dev/full").open("w") as full, contextlib.redirect_stdout(full):
        with lasting_output():
            assert sys.stdout.encoding == full.encoding, "all else is the stream's own"
            for word in ("a word", "another one"):
                sys.stdout.write(word)
                sys.stdout.flush()
        full.write("and after it")
        full.flush()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_what_would_end_the_process_is_a_ctrl_c(
    number: signal.Signals, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr("mbnas.cli.importlib.import_module", lambda _: signal.raise_signal(number))
    assert main(["confirm", "nowhere"]) == 130
    assert capsys.readouterr().err == "mbnas: interrupted\n"
    assert signal.getsignal(number) == before
