"""Baselines, with fakes: what is kept, what is said, and where it is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from integration.contests import NAMES, Varied, baselines, confirm, searched
from integration.studies import fake_search
from rich.console import Console

import mbnas
from mbnas.analysis.baselines import FOLDER, RANDOM_FOLDER
from mbnas.analysis.contenders import Contender
from mbnas.analysis.contest import _wanted
from mbnas.analysis.contest_record import ContestRecord
from mbnas.cli.baselines import _show
from mbnas.dashboard.shown import ShownStudies
from mbnas.errors import BuildError, StudyError
from mbnas.report import front_figure
from mbnas.report.contest_page import contest_summary
from mbnas.report.contests import stamp
from mbnas.search import Study, open_study
from mbnas.search.savings import is_paid
from mbnas.search.storage_url import VARIABLE
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, NonFiniteLossError, OutOfMemoryError


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return searched(tmp_path)


def test_baselines_are_trained_and_timed_once_and_kept(study: Study) -> None:
    trainer, meter = FakeTrainer(), FakeLatencyMeter()
    found = mbnas.baselines(study, NAMES, trainer=trainer, meter=meter)
    assert [one.contender.name for one in found.networks] == [
        "mobilenet_v2 ×0.35",
        "torchvision mobilenet_v3_small",
    ]
    assert len(trainer.trained) == 2
    assert found.versus is not None
    assert [one.name for one in found.versus.front] == [f"trial {t.number}" for t in study.front]
    again = mbnas.baselines(study, ["mobilenet_v1@0.5"], trainer=trainer, meter=meter)
    assert len(trainer.trained) == 3
    assert len(again.networks) == 3
    kept = mbnas.open_baselines(study)
    assert kept is not None
    assert kept.networks == again.networks
    assert kept.versus == again.versus


def test_a_baseline_that_is_a_trials_network_is_trained_as_the_trial_was(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", trainer=Varied(), recipe=Recipe(epochs=3)).run(6)
    record = study.record
    contest = ContestRecord(
        recipe=record.recipe, seeds=(), rounds=1, threads=1, host="", digest=record.data.digest
    )
    for trial in study.front:
        (wanted,) = _wanted(Contender.of(trial), contest, record.seed)
        training = Varied().train(Assignment(wanted.architecture, wanted.seed), lambda _: None)
        assert training.accuracy == trial.accuracy


def test_baselines_that_were_only_planned_are_forgotten(study: Study) -> None:
    with pytest.raises(BuildError):
        mbnas.baselines(study, meter=FakeLatencyMeter(), device="foo")
    found = baselines(study, NAMES[0])
    assert [one.contender.name for one in found.networks] == ["mobilenet_v2 ×0.35"]
    record = json.loads((study.folder.path / FOLDER / "contest.json").read_text())
    assert [one["name"] for one in record["contenders"]] == ["mobilenet_v2 ×0.35"]


def test_a_baseline_that_lacked_memory_is_trained_again(study: Study) -> None:
    def fills(_: object) -> None:
        raise OutOfMemoryError("out of memory")

    settings = {"meter": FakeLatencyMeter()}
    found = mbnas.baselines(study, NAMES[:1], trainer=FakeTrainer(before=fills), **settings)
    assert found.networks[0].failure == "out of memory"
    found = mbnas.baselines(study, NAMES[:1], trainer=FakeTrainer(), **settings)
    assert found.networks[0].failure is None


def test_few_images_of_a_class_make_the_comparison_less_sure(tmp_path: Path) -> None:
    study = fake_search(
        tmp_path / "study",
        objectives=[mbnas.maximize("balanced_accuracy"), mbnas.minimize("latency_ms")],
        recipe=Recipe(epochs=3),
    ).run(6)
    even = baselines(study).versus
    file = study.folder.path / FOLDER / "contest.json"
    record = json.loads(file.read_text())
    record["validation_members"][0] = 1
    file.write_text(json.dumps(record))
    found = mbnas.open_baselines(study)
    assert found is not None
    assert found.versus is not None
    assert even is not None
    wider = [
        (one.margin.high - one.margin.low) / (other.margin.high - other.margin.low)
        for one, other in zip(found.versus.against, even.against, strict=True)
    ]
    assert min(wider) > 1.5


def test_a_random_search_spends_as_many_epochs(study: Study) -> None:
    found = baselines(study, random=True)
    assert found.random is not None
    assert found.random.record.sampler == "random"
    spent = sum(len(one.curve) for one in found.random.trials)
    mine = sum(len(one.curve) for one in study.trials)
    assert mine <= spent < mine + 3
    assert found.versus_random is not None
    assert {one.architecture.id for one in found.random.trials} != {
        one.architecture.id for one in study.trials
    }


def test_a_random_search_is_given_what_other_studies_were_trained_for(
    study: Study, tmp_path: Path
) -> None:
    recipe = study.record.recipe
    heir = fake_search(tmp_path / "heir", recipe=recipe, reuse=[study.folder.path]).run(2)
    known = {
        one.architecture.id: len(one.curve) for one in heir.trials if one.known_from is not None
    }
    assert known
    own = sum(len(one.curve) for one in heir.trials if is_paid(one))
    found = baselines(heir, random=True)
    assert found.random is not None
    spent = sum(len(one.curve) for one in found.random.trials)
    assert own + sum(known.values()) <= spent < own + sum(known.values()) + 3


def test_a_random_search_begins_with_weights_where_the_study_did(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "warm", recipe=Recipe(epochs=3), warm_start=True).run(3)
    found = baselines(study, random=True)
    assert found.random is not None
    assert found.random.record.warm_start


def test_random_searches_of_two_studies_need_no_name_in_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path / 'studies.db'}")
    for name in ("one", "other"):
        study = fake_search(tmp_path / name, recipe=Recipe(epochs=3)).run(3)
        found = baselines(study, random=True)
        assert found.random is not None
        assert found.random.record.storage is None


def test_where_no_baseline_could_be_trained_the_front_is_not_denied(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_: object) -> None:
        raise NonFiniteLossError("epoch 1: the training loss is nan")

    found = mbnas.baselines(
        study, NAMES[:1], trainer=FakeTrainer(before=fails), meter=FakeLatencyMeter()
    )
    _show(study, found, Console(width=200))
    said = capsys.readouterr().out
    assert "no baseline was trained to its end" in said
    assert "no front yet" not in said
    _show(Study(study.folder, study.record, study.space, []), found, Console(width=200))
    assert "the study has no front yet" in capsys.readouterr().out


def test_another_machine_times_no_baselines(study: Study) -> None:
    host = replace(study.record.host, cpu="an abacus")
    elsewhere = Study(
        study.folder, study.record.model_copy(update={"host": host}), study.space, study.trials
    )
    with pytest.raises(StudyError, match="was timed on an abacus"):
        mbnas.baselines(elsewhere, NAMES, trainer=FakeTrainer())


def test_report_shows_confirmed_front_and_baselines(study: Study) -> None:
    before = mbnas.write_report(study).read_text()
    assert "confirmed front" not in before.lower()
    baselines(study)
    found = confirm(study, seeds=2)
    text = mbnas.write_report(open_study(study.folder.path)).read_text()
    assert "The confirmed front" in text
    assert "Against baselines" in text
    figure = front_figure(study)
    traces = {trace.meta: trace for trace in figure.data if trace.meta}
    assert len(traces["confirmed"].x) == len(found.front)
    assert list(traces["baselines"].text) == [
        "mobilenet_v2 ×0.35",
        "torchvision mobilenet_v3_small",
    ]
    assert len(traces["front"].x) == len(study.front), "the brief one stays"


def test_a_trial_of_a_random_search_is_news_once_it_has_ended(study: Study) -> None:
    baselines(study, random=True)
    folder = study.folder.path
    trial = folder / FOLDER / RANDOM_FOLDER / "trials" / "00099"
    trial.mkdir()
    begun = stamp(folder)
    (trial / "result.json").touch()
    assert stamp(folder) != begun


def test_a_dashboard_hears_of_it(study: Study) -> None:
    shown = ShownStudies([study.folder.path])
    name = shown.names[0]
    first = shown.look()[name]
    shown._looked = -1.0
    assert shown.look()[name] == first
    confirm(study, seeds=2, baselines=NAMES[:1])
    shown._looked = -1.0
    assert shown.look()[name] > first
    said = contest_summary(study)
    assert "of the front" in said
    assert "mobilenet_v2 ×0.35" in said
