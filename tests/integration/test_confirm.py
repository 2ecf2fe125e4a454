"""Confirming, with fakes: what is trained, timed and tested, and what is said of it."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from integration.contests import NAMES, Varied, baselines, confirm, files, searched
from integration.studies import digits, fake_search
from rich.console import Console

import mbnas
from mbnas.analysis.contest import ContestObserver
from mbnas.cli.confirm import _recipe, show
from mbnas.errors import DataError, StudyError
from mbnas.network import reference
from mbnas.search import Limit, Study, open_study
from mbnas.testing import FakeLatencyMeter, FakeTester, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, OutOfMemoryError, Training


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


def test_few_images_of_a_class_make_one_seed_less_sure(tmp_path: Path) -> None:
    quality = mbnas.maximize("balanced_accuracy")
    study = fake_search(
        tmp_path / "study",
        objectives=[quality, mbnas.minimize("latency_ms")],
        recipe=Recipe(epochs=3),
    ).run(12)
    even = confirm(study, seeds=1)
    file = study.folder.path / "confirm" / "contest.json"
    record = json.loads(file.read_text())
    assert record["validation_members"] == digits().members("validation").tolist()
    uneven = {**record, "validation_members": [1, *record["validation_members"][1:]]}
    file.write_text(json.dumps(uneven))
    found = mbnas.open_confirmation(study)
    assert found is not None
    assert probabilities(found) != probabilities(even)
    del record["validation_members"]  # as an older version wrote it
    file.write_text(json.dumps(record))
    assert mbnas.open_confirmation(study) is not None
    assert confirm(study, seeds=1).networks == even.networks
    assert "validation_members" in json.loads(file.read_text())


def probabilities(found: mbnas.Confirmation) -> list[float]:
    return [one.place_now.probability for one in found.networks]


def test_of_balanced_accuracy_test_images_are_drawn_within_each_class(tmp_path: Path) -> None:
    study = fake_search(
        tmp_path / "study",
        objectives=[mbnas.maximize("balanced_accuracy"), mbnas.minimize("latency_ms")],
        recipe=Recipe(epochs=3),
    ).run(12)

    class Uneven(FakeTester):
        def __init__(self) -> None:
            super().__init__(500, 2)
            self.labels = (np.arange(500) < 10).astype(np.int64)

        def hits(self, network: Any, weights: Any) -> Any:
            fifth = np.arange(500) % 5 == 0
            mine = isinstance(network, mbnas.Architecture)
            return np.where(self.labels == 1, fifth if mine else True, ~fifth)

    found = confirm(study, seeds=1, near=0, tester=Uneven, baselines=NAMES[1:])
    assert found.versus is not None
    (against,) = found.versus.against
    # Of the rare class, the front's network hits two of ten images and the baseline all.
    assert against.margin.value == pytest.approx(-0.4)
    wide = 2 * 1.96 * (0.8 * 0.2 / 10) ** 0.5 / 2
    assert against.margin.high - against.margin.low == pytest.approx(wide, rel=0.2)


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
        with pytest.raises(StudyError, match=r"every network failed .*nothing works.*begin anew"):
            confirm(study, seeds=2, trainer=FakeTrainer(5, before=fails))


def test_where_no_training_has_memory_the_command_is_to_be_repeated(study: Study) -> None:
    def fills(_: Any) -> None:
        raise OutOfMemoryError("out of memory")

    with pytest.raises(StudyError, match=r"every network failed .*repeat the command"):
        confirm(study, seeds=1, trainer=FakeTrainer(5, before=fills))
    assert confirm(study, seeds=1).failed == ()


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
