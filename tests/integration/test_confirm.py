"""Confirming, with fakes and on real digits: what is kept, what goes on, what is said."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from helpers import ROOT, run_mbnas, tiny_space
from integration.contests import NAMES, Varied, baselines, confirm, files, searched
from integration.studies import fake_search
from rich.console import Console
from unit.bundle.file_meter import FakeFileMeter

import mbnas
from mbnas.analysis.contest import ContestObserver
from mbnas.cli.confirm import _recipe, show
from mbnas.errors import DataError, ExportError, StudyError
from mbnas.network import reference
from mbnas.search import Limit, Study, open_study
from mbnas.testing import FakeLatencyMeter, FakeTester, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, Training


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return searched(tmp_path)


def test_confirming_trains_front_near_front_and_baselines(study: Study) -> None:
    baselines(study)
    found = confirm(study, seeds=2)
    own = [one for one in found.networks if one.trial is not None]
    assert len(own) == len(study.front) + 2
    assert len(found.networks) == len(own) + 2
    assert len(files(study)) == 2 * len(found.networks)
    assert found.seeds == (0, 1)
    assert found.deviation > 0
    # The front is chosen by the mean validation accuracy, at the cost timed anew.
    for one in own:
        better = [
            other
            for other in own
            if other is not one
            and other.cost <= one.cost
            and mean(other.validation) >= mean(one.validation)
        ]
        assert one.is_on_front == (not better)
        assert one.brief == study.trial(one.trial or 0).accuracy
    assert {one.place for one in own} <= {"kept", "left", "joined", "off"}
    assert sum(one.was_on_front for one in own) == len(study.front)
    assert found.versus is not None
    assert [one.name for one in found.versus.front] == [one.name for one in found.front]
    opened = mbnas.open_confirmation(study)
    assert opened is not None
    assert opened.front == found.front
    assert opened.versus == found.versus


def test_the_largest_networks_are_trained_first(study: Study) -> None:
    trainer = Varied(epochs=5)
    found = confirm(study, trainer=trainer, pack=1, baselines=NAMES)
    macs = {one.contested.contender.id: one.contested.costs.macs for one in found.networks}
    order = [macs[name] for name in trainer.trained]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) > 2


def test_the_test_part_is_opened_once_and_logged(study: Study) -> None:
    assert open_study(study.folder.path).record.test_openings == ()
    trained: list[str] = []

    class Watch(ContestObserver):
        def training_ended(self, contender: Any, done: Any) -> None:
            trained.append(contender.name)

    class Late(FakeTester):
        def __init__(self) -> None:
            assert len(trained) == 2 * (len(study.front) + 2), "opened before all were trained"
            super().__init__()

    confirm(study, seeds=2, tester=Late, observer=Watch())
    (line,) = open_study(study.folder.path).record.test_openings
    assert line.endswith(f"confirm: {len(trained)} trained networks")

    def never() -> FakeTester:
        raise AssertionError("opened again")

    confirm(study, seeds=2, tester=never)
    assert open_study(study.folder.path).record.test_openings == (line,)
    more = confirm(study, seeds=2, baselines=["mobilenet_v1@0.25"])
    assert len(more.openings) == 2
    assert more.openings[1].trainings == tuple(
        f"{more.networks[-1].contested.contender.id}-{seed}" for seed in (0, 1)
    )
    assert len(open_study(study.folder.path).record.test_openings) == 2


def test_a_kill_amid_the_tests_opens_nothing_anew(study: Study) -> None:
    class Breaks(FakeTester):
        def hits(self, *of: Any) -> Any:
            if len(self.tested) == 3:
                raise KeyboardInterrupt
            return super().hits(*of)

    with pytest.raises(KeyboardInterrupt):
        confirm(study, seeds=2, tester=Breaks)
    assert mbnas.open_confirmation(study) is None
    tester = FakeTester()
    found = confirm(study, seeds=2, tester=lambda: tester)
    assert len(tester.tested) == 2 * len(found.networks) - 3
    assert len(found.openings) == len(open_study(study.folder.path).record.test_openings) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": Recipe(epochs=6), "trainer": Varied(epochs=6)}, "another recipe"),
        ({"seeds": 4}, "another seeds"),
        ({"meter": FakeLatencyMeter(threads=2)}, "another threads"),
    ],
)
def test_other_settings_are_not_mixed_in(study: Study, changes: Any, said: str) -> None:
    confirm(study, seeds=2)
    before = files(study)
    with pytest.raises(StudyError, match=said):
        confirm(study, **{"seeds": 2, **changes})
    assert files(study) == before


def test_a_network_whose_training_fails_is_told_and_left_out(study: Study) -> None:
    bad = study.front[-1].architecture.id
    markup = "nothing works [enforce fail at alloc] [/x]"  # what rich would take for markup

    def fails(network: Any) -> None:
        if network.id == bad:
            raise mbnas.MeasureError(markup)

    found = confirm(study, seeds=2, trainer=FakeTrainer(5, before=fails))
    assert [one.contender.id for one in found.failed] == [bad]
    assert bad not in {one.contested.contender.id for one in found.networks}
    said = StringIO()
    show(found, Console(file=said, width=200))
    assert markup in said.getvalue()


def test_of_the_searchs_recipe_a_file_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    own = Recipe(epochs=3, flip=False, crop=False, precision="float32", label_smoothing=0.3)
    study = fake_search(tmp_path / "study", recipe=own).run(1)
    file = tmp_path / "recipe.toml"

    def recipe(text: str, epochs: int | None = None) -> Recipe | None:
        file.write_text(f"[recipe]\n{text}\n")
        return _recipe(study, Namespace(recipe=file, epochs=epochs))

    kept = Recipe.for_images(
        study.record.data.sizes["train"],
        study.space.resolutions[-1],
        **{"epochs": 18, "flip": False, "crop": False, "precision": "float32", "ema": 0.9},
    )
    assert recipe("ema = 0.9") == kept
    assert recipe("ema = 0.9\nepochs = 7") == replace(kept, epochs=7)
    assert recipe("ema = 0.9\nepochs = 7", epochs=5) == replace(kept, epochs=5)
    named = "ema = 0.9\nflip = true\ncrop = true\nprecision = 'bfloat16'"
    assert recipe(named) == replace(kept, flip=True, crop=True, precision="bfloat16")


def test_where_every_training_fails_it_is_told(study: Study) -> None:
    def fails(_: Any) -> None:
        raise mbnas.MeasureError("nothing works")

    for _ in range(2):  # what failed is on record
        with pytest.raises(StudyError, match=r"every network failed .*nothing works"):
            confirm(study, seeds=2, trainer=FakeTrainer(5, before=fails))


def test_a_trials_network_may_be_a_baseline_too(tmp_path: Path) -> None:
    same = reference("mobilenet_v2", 12, width_multiplier=0.35, small=True)
    study = fake_search(tmp_path / "study", recipe=Recipe(epochs=3), start={"v2": same}).run(8)
    trainer = Varied(epochs=5)
    found = confirm(study, near=8, seeds=2, trainer=trainer, baselines=["mobilenet_v2@0.35"])
    trial = found.of_trial(0)
    (other,) = (one for one in found.networks if one.trial is None)
    assert trial is not None
    assert other.contested.contender.id == same.id
    assert (trial.validation, trial.cost) == (other.validation, other.cost)
    assert trainer.trained.count(same.id) == 2
    assert other.place == "baseline"
    assert found.versus is not None
    assert [one.baseline.name for one in found.versus.against] == ["mobilenet_v2 ×0.35"]


def test_the_confirmed_front_is_picked_from(study: Study) -> None:
    class Turned(FakeTrainer):
        """Brief order turned round: what was best is worst now."""

        def train(self, assignment: Assignment, *rest: Any) -> Training:
            training = super().train(assignment, *rest)
            last = training.curve[-1]
            return replace(
                training, curve=(*training.curve[:-1], replace(last, accuracy=1 - last.accuracy))
            )

    found = confirm(study, seeds=1, near=0, trainer=Turned(5))
    (only,) = found.front  # the cheapest is the most accurate now
    assert only.trial == study.front[0].number
    for rule in ("knee", "accuracy", "latency"):
        assert mbnas.pick(study, rule).number == only.trial
    costliest = max(found.networks, key=lambda one: one.cost)
    assert mbnas.pick(study, f"latency_ms<={costliest.cost}").number == only.trial
    assert mbnas.pick(study, f"trial:{costliest.trial}").number == costliest.trial
    with pytest.raises(StudyError, match="no network has latency_ms <= 1e-06"):
        mbnas.pick(study, "latency_ms<=1e-6")


def test_one_seed_alone_makes_no_place_sure(study: Study) -> None:
    found = confirm(study, seeds=1, meter=FakeLatencyMeter())
    assert found.deviation == 0
    others = [one for one in found.networks if one.trial is not None]
    assert any(0 < one.place_now.probability < 1 for one in others)


def test_limits_hold_for_the_new_latencies(tmp_path: Path) -> None:
    limit = Limit("latency_ms", 0.5)
    study = fake_search(tmp_path / "study", limits=[limit], recipe=Recipe(epochs=3)).run(12)

    class Slower(FakeLatencyMeter):
        def measure_files(self, contents: Any) -> Any:
            found = super().measure_files(contents)
            slowest = max(one.latency_ms for one in found)
            return [
                replace(one, latency_ms=1.0, high_ms=1.0) if one.latency_ms == slowest else one
                for one in found
            ]

    found = confirm(study, seeds=1, meter=Slower())
    over = [one for one in found.networks if one.cost > limit.most]
    assert len(over) == 1
    assert found.front
    assert not any(one.is_on_front or one.place_now.probability for one in over)


@pytest.mark.parametrize("name", ["contest.json", "latencies.json", "test.json"])
def test_a_damaged_file_is_told_and_the_report_lives(study: Study, name: str) -> None:
    confirm(study, seeds=1)
    file = study.folder.path / "confirm" / name
    file.write_text(file.read_text()[:-20])
    with pytest.raises(StudyError, match=f"{name}: damaged"):
        mbnas.open_confirmation(study)
    text = mbnas.write_report(study).read_text()
    assert "cannot be read" in text


def test_a_study_without_front_or_other_images_is_refused(study: Study) -> None:
    with pytest.raises(StudyError, match="has no front yet"):
        confirm(Study(study.folder, study.record, study.space, []))
    data = study.record.data.model_copy(update={"digest": "0"})
    other = study.record.model_copy(update={"data": data})
    with pytest.raises(DataError, match="other images"):
        confirm(Study(study.folder, other, study.space, study.trials))


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = ["tests"]
from integration.contests import confirm, Varied
from mbnas.search import open_study
confirm(open_study(sys.argv[1]), seeds=2, trainer=Varied(5, seconds_per_epoch=0.02))
"""


def test_killed_at_random_it_goes_on_and_trains_nothing_twice(study: Study) -> None:
    rng = random.Random(0)
    seen: dict[str, float] = {}
    kills = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(study.folder.path)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        before = len(files(study))
        more = rng.randint(1, 5)
        while process.poll() is None and len(files(study)) < before + more:
            pass
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, errors = process.communicate()
        now = files(study)
        assert seen.items() <= now.items(), "what was done is not done again"
        seen = now
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, errors.decode()
            break
    assert kills >= 2
    found = mbnas.open_confirmation(study)
    assert found is not None
    assert len(seen) == 2 * len(found.networks)
    for one in found.networks:
        for run in one.contested.runs:
            whole = Varied(5).train(
                Assignment(one.contested.contender.network, run.seed), lambda _: None
            )
            assert [epoch.accuracy for epoch in run.curve] == [
                epoch.accuracy for epoch in whole.curve
            ]


def check_export(folder: Path, place: Path, found: mbnas.Confirmation) -> None:
    """A confirmed network goes home with its best training, whose test accuracy is looked at."""
    study = open_study(folder)
    bundle = mbnas.export(study, place / "bundle", pick="accuracy", meter=FakeFileMeter(1.0))
    one = found.of_trial(bundle.trial.number)
    assert one is not None
    assert one is max(found.front, key=lambda one: mean(one.validation))
    best = one.best_run
    assert bundle.accuracy == pytest.approx(one.validation[best], abs=0.03)
    assert bundle.test_accuracy == pytest.approx(one.test[best], abs=0.01)
    weights = one.contested.weights[best].read_bytes()
    assert (place / "bundle" / "weights.safetensors").read_bytes() == weights
    card = (place / "bundle" / "CARD.md").read_text()
    assert f"test accuracy | {bundle.test_accuracy:.4f}" in card
    assert "over 2 trainings" in card
    one.contested.weights[best].unlink()
    with pytest.raises(ExportError, match="missing; "):
        mbnas.export(study, place / "bundle", pick="accuracy", meter=FakeFileMeter(1.0))
    one.contested.weights[best].write_bytes(weights)


def test_from_the_command_line_on_real_digits(tmp_path: Path) -> None:
    space = tmp_path / "tiny.toml"
    space.write_text(tiny_space().toml)
    folder = tmp_path / "study"
    data = ("--data", "digits", "--subset", 400, "--device", "cpu")
    made = run_mbnas("search", space, *data, "--epochs", 2, "--trials", 4, "--study", folder)
    assert made.returncode == 0, made.stderr
    ran = run_mbnas("baselines", folder, "mobilenet_v2@0.35", "--device", "cpu")
    assert ran.returncode == 0, ran.stderr
    assert "mobilenet_v2 ×0.35" in ran.stdout
    assert "- at the latency of mobilenet_v2 ×0.35" in ran.stdout
    again = ("confirm", folder, "--epochs", 3, "--seeds", 2, "--near", 0, "--device", "cpu")
    ran = run_mbnas(*again)
    assert ran.returncode == 0, ran.stderr
    assert "the test part is opened" in ran.stdout
    assert "of the front" in ran.stdout
    found = mbnas.open_confirmation(open_study(folder))
    assert found is not None
    for one in found.networks:
        assert 0 < mean(one.test) <= 1
    assert json.loads((folder / "study.json").read_text())["test_openings"]
    check_export(folder, tmp_path, found)
    ran = run_mbnas(*again)
    assert "opened" not in ran.stdout
    assert ran.returncode == 0
    other = run_mbnas("confirm", folder, "--epochs", 4, "--seeds", 2)
    assert other.returncode == 1
    assert "another recipe" in other.stderr
    assert len(other.stderr.splitlines()) == 1
