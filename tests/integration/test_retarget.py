"""Retargets: what is timed, kept, gone on with, refused and reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import mean

import pytest
from helpers import run_mbnas
from integration.contests import confirm, searched
from integration.studies import fake_search
from rich.console import Console

import mbnas
from mbnas.analysis import retargeting
from mbnas.analysis.retargeting import BATCH
from mbnas.cli import INTERRUPTED, main
from mbnas.cli import retarget as verb
from mbnas.cli.retarget import _Watch
from mbnas.errors import MeasureError, StudyError
from mbnas.measure.host import this_host
from mbnas.measure.latency import Latency
from mbnas.search import Study
from mbnas.testing import FakeLatencyMeter

SECONDS = 0.05


class Upended(FakeLatencyMeter):
    """The faster a network was, the slower it is; broken off after some batches."""

    def __init__(self, batches: int = 99, threads: int = 1) -> None:
        super().__init__(threads)
        self.left = batches
        self.files = 0

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.files += len(files)
        return [
            replace(
                one,
                latency_ms=1 / one.latency_ms,
                low_ms=1 / one.high_ms,
                high_ms=1 / one.low_ms,
            )
            for one in super().measure_files(files)
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retarget") / "study"
    fake_search(folder).run(trials=20)
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:
    return mbnas.copy_study(made, tmp_path / "study")


def test_the_front_moves_as_the_latencies_say(study: Study) -> None:
    before = (study.hypervolume, study.folder.record_file.read_bytes())
    found = mbnas.retarget(study, reach=1.0, meter=Upended())
    trained = [one for one in study.trials if one.status == "trained"]
    assert len(found.networks) == found.trained == len(trained) == 20
    points = {
        one.number: (one.accuracy or 0.0, 1 / one.latency.latency_ms)
        for one in trained
        if one.latency is not None
    }
    best = {
        number
        for number, (accuracy, cost) in points.items()
        if not any(
            other != (accuracy, cost) and other[0] >= accuracy and other[1] <= cost
            for other in points.values()
        )
    }
    assert set(found.new_front) == best
    assert list(found.old_front) == [one.number for one in study.front]
    assert found.agreement.tau == -1
    again = mbnas.open_study(study.folder.path)
    assert (again.hypervolume, again.folder.record_file.read_bytes()) == before


def test_broken_off_it_goes_on_and_times_nothing_twice(study: Study) -> None:
    first = Upended(batches=1)
    with pytest.raises(KeyboardInterrupt):
        mbnas.retarget(study, reach=1.0, name="some", meter=first)
    file = study.folder.path / "retargets" / "some.json"
    kept = json.loads(file.read_bytes())["latencies"]
    assert len(kept) == first.files == BATCH
    second = Upended()
    found = mbnas.retarget(study, reach=1.0, name="some", meter=second)
    assert second.files == 20 - BATCH
    assert json.loads(file.read_bytes())["latencies"].items() >= kept.items()
    third = Upended(batches=0)
    assert mbnas.retarget(study, reach=1.0, name="some", meter=third) == found


def test_more_networks_join_those_that_are_there(study: Study) -> None:
    near, every = Upended(), Upended()
    assert len(mbnas.retarget(study, reach=0.0, meter=near).networks) == len(study.front)
    mbnas.retarget(study, reach=1.0, meter=every)
    assert near.files == len(study.front)
    assert near.files + every.files == 20


def test_a_confirmed_front_takes_the_place_of_the_brief_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = searched(tmp_path)
    confirmed = confirm(study, near=4, seeds=2, baselines=["mobilenet_v2@0.35"])
    means = {one.trial: mean(one.validation) for one in confirmed.networks if one.trial is not None}
    found = mbnas.retarget(study, reach=0.0, meter=FakeLatencyMeter())
    assert {one.trial.number: one.trial.accuracy for one in found.networks} == means
    assert "joined" in {one.place for one in confirmed.networks}
    # The fakes' latencies are those of the search, so nothing but the accuracies can move.
    assert list(found.old_front) == [one.trial for one in confirmed.front]
    assert found.new_front == found.old_front
    assert main(["retarget", str(study.folder.path), "--seconds", str(SECONDS)]) == 0
    said = f"Both fronts are of the {len(means)} networks that mbnas confirm trained fully"
    assert said in capsys.readouterr().out


def test_what_was_timed_otherwise_is_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    mbnas.retarget(study, name="some", meter=Upended())
    with pytest.raises(StudyError, match=r"some\.json: .*\(threads: 1 there, 2 now\); .* --name"):
        mbnas.retarget(study, name="some", meter=Upended(threads=2))
    with pytest.raises(StudyError, match=r"\(precision: fp32 there, int8 now\)"):
        mbnas.retarget(study, name="some", int8=True, meter=Upended())
    elsewhere = replace(this_host(1), cpu="Other", onnxruntime="0.1")
    monkeypatch.setattr(retargeting, "this_host", lambda _: elsewhere)
    with pytest.raises(StudyError, match=r"\(processor: .* there, Other now; ONNX Runtime: "):
        mbnas.retarget(study, name="some", meter=Upended())
    file = mbnas.retarget(study, meter=Upended()).file
    assert file.name == "other-1-thread-fp32-onnxruntime-0.1.json"


@pytest.mark.parametrize(
    ("old", "new"), [('"host"', '"hots"'), ('"latency_ms":', '"latency_ms":"x'), ("{", "")]
)
def test_a_damaged_file_is_named_in_one_line(study: Study, old: str, new: str) -> None:
    file = mbnas.retarget(study, name="some", meter=Upended()).file
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(StudyError, match=r"some\.json: damaged at .*; delete it") as caught:
        mbnas.retarget(study, name="some", meter=Upended())
    assert "\n" not in str(caught.value)


def test_what_cannot_be_timed_is_refused(study: Study) -> None:
    with pytest.raises(MeasureError, match="threads = 0"):
        mbnas.retarget(study, threads=0)
    with pytest.raises(StudyError, match="reach = 2"):
        mbnas.retarget(study, reach=2)
    assert not (study.folder.path / "retargets").exists()


def test_in_8_bits_for_real(study: Study) -> None:
    found = mbnas.retarget(study, int8=True, reach=0.0, seconds=SECONDS)
    assert found.changes == ["precision: fp32 there, int8 now"]
    assert [one.trial for one in found.networks] == study.front
    assert all(one.new_ms > 0 for one in found.networks)
    page = mbnas.write_retarget_report(found)
    assert page.with_suffix(".json") == found.file
    assert "accuracies are still those in 32 bits" in page.read_text()


def test_the_command_for_real(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    folder = study.folder.path / "retargets"
    command = ["retarget", str(study.folder.path), "--seconds", str(SECONDS), "--name", "two"]
    result = run_mbnas(*command, "--threads", 2)
    assert result.returncode == 0, result.stderr
    timed = len(json.loads((folder / "two.json").read_bytes())["latencies"])
    assert len(study.front) <= timed <= 20
    for said in (
        f"{timed} networks; about",
        "2 threads",
        "Unlike in the study: threads: 1 there, 2 now.",
        f"report:  {folder / 'two.html'}",
    ):
        assert said in result.stdout
    page = (folder / "two.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert 'id="fronts"' in page
    assert main([*command, "--threads", "2", "--limit", "latency_ms=1e9"]) == 0
    assert f"{timed} networks, {timed} of them timed before" in capsys.readouterr().out
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "give this one another name with --name" in said


def test_more_threads_than_cores_are_said(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "usable_cores", lambda: [0, 3])
    command = ["retarget", str(study.folder.path), "--reach", "0", "--seconds", str(SECONDS)]
    assert main([*command, "--threads", "3"]) == 0
    assert "3 threads are more than the 2 cores that may be used" in capsys.readouterr().out
    assert main([*command, "--threads", "2"]) == 0
    assert "more than" not in capsys.readouterr().out


def test_without_a_terminal_it_says_what_it_is_at(study: Study) -> None:
    said = StringIO()
    with _Watch(Console(file=said, width=80), SECONDS) as watch:
        watch.planned(Path("one.json"), networks=1, done=0)
        heard: list[str] = []

        class Listening(Upended):
            def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
                heard.append(said.getvalue().splitlines()[-1])
                return super().measure_files(files)

        mbnas.retarget(study, reach=1.0, meter=Listening(), observer=watch)
    assert heard == [
        f"timing {count} networks by turns" for count in (BATCH, BATCH, 20 - 2 * BATCH)
    ]
    assert said.getvalue().startswith("1 network; about ")


def test_a_path_is_said_as_it_is() -> None:
    said = StringIO()
    file = Path("studies/[bold]/[/x]/retargets/two.json")
    with _Watch(Console(file=said, width=40), SECONDS) as watch:
        watch.planned(file, networks=3, done=0)
    assert str(file) in said.getvalue()


def test_after_ctrl_c_the_command_says_that_it_goes_on(
    study: Study, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> list[Latency]:
        raise KeyboardInterrupt

    monkeypatch.setattr(mbnas.OrtLatencyMeter, "measure_files", interrupted)
    assert main(["retarget", str(study.folder.path)]) == INTERRUPTED
    assert "The same command goes on with" in capsys.readouterr().out
