"""Searches that begin with networks of the user's, and with what other studies trained."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from helpers import run_mbnas, tiny_space
from integration.conftest import RealStudy
from integration.studies import fake_search
from numpy.typing import NDArray
from optuna.search_space import IntersectionSearchSpace
from safetensors.numpy import load_file

from mbnas.bundle.trained import network_of_trial
from mbnas.data import load_data
from mbnas.errors import ExportError, StudyError
from mbnas.measure.latency import Latency
from mbnas.measure.onnx_file import random_weights
from mbnas.network import Architecture, reference
from mbnas.report import front_figure, write_report
from mbnas.search import SAMPLERS, Limit, Study, Trial, maximize, minimize, open_study
from mbnas.search.estimate import REFERENCE_SHARES
from mbnas.search.evaluation import STARTED_FROM
from mbnas.search.ledger import Ledger
from mbnas.search.stopping import Stop
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Training

OUTSIDE = reference("mobilenet_v2", 12, small=True)


def inside(seed: int = 0) -> Architecture:
    space = tiny_space()
    return space.architecture(space.sample(random.Random(seed)))


def optunas(study: Study) -> optuna.Study:
    return optuna.load_study(
        study_name=study.record.name, storage=f"sqlite:///{study.folder.database}"
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_networks_to_start_from_come_first_whatever_the_sampler(
    sampler: str, tmp_path: Path
) -> None:
    start = {"mine": inside(), "mobilenet_v2": OUTSIDE}
    study = fake_search(tmp_path / "study", sampler=sampler, start=start).run(trials=14)
    first, second, *others = study.trials
    assert [(t.start, t.architecture.id) for t in (first, second)] == [
        (name, network.id) for name, network in start.items()
    ]
    for trial in (first, second):
        assert trial.status == "trained"
        assert trial.accuracy == fake_accuracy(trial.architecture)
        assert trial.latency_ms == fake_latency_ms(trial.architecture)
    assert study.space.architecture(first.params).id == first.architecture.id
    assert second.params == {}
    assert all(trial.start is None and trial.params for trial in others)
    # What is outside the space must not take the space from Optuna's samplers.
    common = IntersectionSearchSpace(include_pruned=True).calculate(optunas(study))
    assert len(common) == len(study.space.choices)


def test_weights_that_another_study_keeps_no_longer_are_told(tmp_path: Path) -> None:
    fake_search(tmp_path / "before").run(trials=4)  # fakes keep none
    study = fake_search(tmp_path / "study", reuse=[tmp_path / "before"]).run(trials=4)
    member = study.front[0]
    assert member.known_from is not None
    with pytest.raises(ExportError, match=r"before, trial \d kept them no longer; mbnas confirm"):
        network_of_trial(study, member)


def test_weights_that_a_running_trial_began_with_are_known_to_be_needed(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", warm_start=True).run(trials=2)
    told = optunas(study)
    for source in (1, None):
        told.ask().set_user_attr(STARTED_FROM, source)
    with study.folder.locked() as held:
        assert Ledger(study.folder, study.record, told, [], held).sources() == [1]


def test_nsga2_breeds_from_what_it_was_given(tmp_path: Path) -> None:
    start = {str(seed): inside(seed) for seed in range(5)}
    study = fake_search(tmp_path / "study", sampler="nsga2", start=start).run(trials=8)
    for frozen in optunas(study).get_trials():
        assert frozen.system_attrs.get("NSGAIISampler:generation") == 0


def test_a_network_outside_the_space_may_be_on_the_front_and_in_the_report(tmp_path: Path) -> None:
    study = fake_search(tmp_path / "study", start={"<b>v2</b>": OUTSIDE}).run(trials=6)
    assert study.trials[0] in study.front
    assert study.to_dataframe()["start"].notna().tolist() == [True] + [False] * 5
    (star,) = (t for t in front_figure(study).data if (t.name or "").startswith("started from"))
    assert list(star.x) == [study.trials[0].latency_ms]
    page = write_report(study).read_text()
    assert "started from &lt;b&gt;v2&lt;/b&gt;, not of the space" in page


def test_a_network_to_start_from_is_trained_to_its_end(tmp_path: Path) -> None:
    class StopAll:
        def before_training(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
            return Stop("hopeless", 0.5)

        def at_rung(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
            return Stop("hopeless", 0.5)

    study = fake_search(tmp_path / "study", stopping=StopAll(), start={"a": inside()}).run(trials=4)
    assert [trial.status for trial in study.trials] == ["trained", *["untrained"] * 3]


def test_a_limit_holds_for_them_too(tmp_path: Path) -> None:
    study = fake_search(
        tmp_path / "study", start={"v2": OUTSIDE}, limits=[Limit("params", 50_000)]
    ).run(trials=3)
    assert study.trials[0].status == "untrained"
    assert "params" in (study.trials[0].reason or "")


def test_they_are_evaluated_once_and_may_be_added_later(tmp_path: Path) -> None:
    trainer = FakeTrainer()
    fake_search(tmp_path / "study", trainer=trainer, start={"a": inside()}).run(trials=3)
    more = {"a": inside(), "b": inside(7), "v2": OUTSIDE}
    study = fake_search(tmp_path / "study", trainer=trainer, start=more).run(trials=3)
    assert [trial.start for trial in study.trials] == ["a", None, None, "b", "v2"]
    assert len(trainer.trained) == len(set(trainer.trained)) == 5


def test_one_that_the_search_had_given_up_is_trained_when_it_is_asked_for(tmp_path: Path) -> None:
    class StopAll:
        def before_training(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
            return Stop("hopeless", 0.5)

        def at_rung(self, trial: Trial, finished: Sequence[Trial]) -> Stop | None:
            return None

    before = fake_search(tmp_path / "study", stopping=StopAll()).run(trials=3)
    given_up = before.trials[1].architecture
    after = fake_search(tmp_path / "study", stopping=StopAll(), start={"it": given_up}).run(3)
    (asked_for,) = (trial for trial in after.trials if trial.start)
    assert asked_for.status == "trained"
    assert asked_for.architecture.id == given_up.id


def test_a_predictor_of_the_space_says_nothing_of_a_network_outside(tmp_path: Path) -> None:
    class Pessimist:
        def predict(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
            return np.full(len(architectures), 1e6)

    study = fake_search(
        tmp_path / "study",
        predictor=Pessimist(),
        start={"v2": OUTSIDE},
        objectives=[maximize("accuracy"), minimize("latency_ms", limit=1e3)],
    ).run(trials=2)
    assert [trial.status for trial in study.trials] == ["trained", "untrained"]


@pytest.mark.parametrize("network", [inside(), OUTSIDE], ids=["inside", "outside"])
def test_one_that_was_broken_off_is_taken_up_again(network: Architecture, tmp_path: Path) -> None:
    class KilledError(Exception):
        """Stands for the kill."""

    def die(_: Architecture) -> None:
        raise KilledError

    start = {"first": network, "second": inside(5)}
    with pytest.raises(KilledError):
        fake_search(tmp_path / "study", trainer=FakeTrainer(before=die), start=start).run(trials=5)
    assert not open_study(tmp_path / "study").trials
    study = fake_search(tmp_path / "study", start=start).run(trials=5)
    unbroken = fake_search(tmp_path / "unbroken", start=start).run(trials=5)
    assert [trial.start for trial in study.trials[:3]] == ["first", "second", None]
    assert [t.architecture.id for t in study.trials] == [t.architecture.id for t in unbroken.trials]
    assert study.trials[0].architecture.id == network.id


def test_one_that_is_too_large_for_the_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"start big: resolution = 32 is above .* 12"):
        fake_search(tmp_path / "study", start={"big": reference("mobilenet_v2", 32, small=True)})


class WithWeights(FakeTrainer):
    """Leaves weights behind, a network's own."""

    def train(self, *arguments: Any) -> Training:
        training = super().train(*arguments)
        return replace(training, weights=random_weights(arguments[0].architecture.lower(10)))


def test_what_another_study_trained_is_not_trained_again(tmp_path: Path) -> None:
    other = fake_search(tmp_path / "other", trainer=WithWeights()).run(trials=12)
    limit = sorted(trial.latency_ms or 0 for trial in other.trials)[8]
    trainer, meter = WithWeights(), FakeLatencyMeter()
    study = fake_search(
        tmp_path / "study",
        sampler="known_cost",
        trainer=trainer,
        meter=meter,
        objectives=[maximize("accuracy"), minimize("latency_ms", limit=limit)],
        reuse=[tmp_path / "other"],
    ).run(trials=5)
    theirs = {trial.architecture.id: trial for trial in other.trials if trial.status == "trained"}
    known = [trial for trial in study.trials if trial.known_from]
    assert len(known) == len(theirs) == 12
    assert not set(theirs) & {*trainer.trained, *meter.measured}
    assert sum(trial.known_from is None for trial in study.trials) == 5
    for trial in known:
        source = theirs[trial.architecture.id]
        assert trial.known_from == f"{tmp_path / 'other'}, trial {source.number}"
        assert trial.training_seconds == trial.latency_seconds == 0
        assert trial.latency == source.latency
        if (source.latency_ms or 0) * 1.01 > limit:
            assert trial.status == "untrained"
        else:
            assert (trial.accuracy, trial.curve) == (source.accuracy, source.curve)
    taken = [trial for trial in known if trial.status == "trained"]
    assert study.savings.known == len(taken) > 0
    assert study.savings.epochs >= 3 * len(taken)
    for trial in study.front:
        if trial in taken:
            source = theirs[trial.architecture.id]
            kept = load_file(study.folder.weights_file(trial.number))
            for name, values in load_file(other.folder.weights_file(source.number)).items():
                np.testing.assert_array_equal(kept[name], values)
    page = write_report(study).read_text()
    assert "known from other studies" in page
    assert f"trained in {tmp_path / 'other'}, trial " in page


def test_where_latencies_do_not_carry_over_they_are_measured_again(tmp_path: Path) -> None:
    other = fake_search(tmp_path / "other").run(trials=4)
    trainer, meter = FakeTrainer(), FakeLatencyMeter(threads=2)
    study = fake_search(
        tmp_path / "study", trainer=trainer, meter=meter, reuse=[tmp_path / "other"]
    ).run(trials=1)
    theirs = {trial.architecture.id for trial in other.trials}
    assert theirs <= set(meter.measured)
    assert not theirs & set(trainer.trained)
    assert study.savings.known == len(theirs)


def test_only_what_the_space_holds_is_taken_over(tmp_path: Path) -> None:
    other = fake_search(tmp_path / "other").run(trials=12)
    space = tiny_space(resolution=12)
    study = fake_search(tmp_path / "study", space=space, reuse=[tmp_path / "other"]).run(trials=1)
    small = {t.architecture.id for t in other.trials if t.architecture.resolution == 12}
    assert {t.architecture.id for t in study.trials if t.known_from} == small
    assert 0 < len(small) < 12


def test_a_search_that_reuses_goes_on_without_it(tmp_path: Path) -> None:
    fake_search(tmp_path / "other").run(trials=5)
    fake_search(tmp_path / "study", reuse=[tmp_path / "other"]).run(trials=2)
    study = fake_search(tmp_path / "study").run(trials=4)
    again = fake_search(tmp_path / "study", reuse=[tmp_path / "other"]).run(trials=5)
    assert study.savings.known == again.savings.known == 5
    assert sum(trial.known_from is None for trial in again.trials) == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipe": Recipe(epochs=7), "trainer": FakeTrainer(epochs=7)}, "epochs: .* there, 7 now"),
        ({"data": load_data("digits", seed=3)}, "split: "),
        ({"warm_start": True}, "warm start: False there, True now"),
        ({"space": tiny_space(resolution=8)}, "images decoded at 12 pixels there, 8 now"),
    ],
)
def test_what_was_trained_in_another_way_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    fake_search(tmp_path / "other").run(trials=1)
    search = fake_search(tmp_path / "study", reuse=[tmp_path / "other"], **changes)
    with pytest.raises(StudyError, match=f"other: cannot be reused, .*{words}"):
        search.run(trials=1)
    with pytest.raises(StudyError, match=words):
        search.estimate()
    assert not (tmp_path / "study" / "study.json").exists()


def test_one_killed_among_what_it_takes_over_goes_on_with_and_without_it(tmp_path: Path) -> None:
    class KilledError(Exception):
        """Stands for the kill."""

    class Dies(FakeLatencyMeter):
        def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
            if len(self.measured) == len(REFERENCE_SHARES) + 4:  # those are for the reference point
                raise KilledError
            return super().measure(architectures, classes)

    fake_search(tmp_path / "other", meter=FakeLatencyMeter(threads=2)).run(trials=8)
    for name, reuse in (("with", [tmp_path / "other"]), ("without", [])):
        with pytest.raises(KilledError):
            fake_search(tmp_path / name, meter=Dies(), reuse=[tmp_path / "other"]).run(trials=3)
        trainer = FakeTrainer()
        study = fake_search(tmp_path / name, trainer=trainer, reuse=reuse).run(trials=3)
        assert study.savings.known == (8 if reuse else 4)
        assert len(trainer.trained) == 3
        again = fake_search(tmp_path / name, reuse=reuse).run(trials=3)
        assert again.trials == study.trials


def test_one_killed_between_the_line_and_optuna_takes_nothing_over_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_search(tmp_path / "other").run(trials=6)
    search = fake_search(tmp_path / "study", reuse=[tmp_path / "other"])
    ask, asked = optuna.Study.ask, 0

    def dies(study: optuna.Study, *arguments: Any) -> optuna.Trial:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise KeyboardInterrupt
        return ask(study, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "ask", dies)
        with pytest.raises(KeyboardInterrupt):
            search.run(trials=2)
    study = fake_search(tmp_path / "study", reuse=[tmp_path / "other"]).run(trials=2)
    unbroken = fake_search(tmp_path / "unbroken", reuse=[tmp_path / "other"]).run(trials=2)
    assert [(one.number, one.status, one.architecture.id) for one in study.trials] == [
        (one.number, one.status, one.architecture.id) for one in unbroken.trials
    ]


def test_what_breaks_a_limit_is_taken_over_once(tmp_path: Path) -> None:
    other = fake_search(tmp_path / "other").run(trials=8)
    half = sorted(trial.costs.params for trial in other.trials)[4]
    settings = {"limits": [Limit("params", half)], "reuse": [tmp_path / "other"]}
    study = fake_search(tmp_path / "study", **settings).run(trials=2)
    assert {trial.status for trial in study.trials if trial.known_from} == {"trained", "untrained"}
    assert fake_search(tmp_path / "study", **settings).run(trials=2).trials == study.trials


def test_where_trainings_pause_is_no_other_way(tmp_path: Path) -> None:
    fake_search(tmp_path / "other", recipe=Recipe(epochs=3, rungs=(1, 2))).run(trials=2)
    rungs = Recipe(epochs=3, rungs=(2,))
    study = fake_search(tmp_path / "study", recipe=rungs, reuse=[tmp_path / "other"]).run(trials=1)
    assert study.savings.known == 2


def test_from_the_command_line(real_study: RealStudy, tmp_path: Path) -> None:
    command = [
        tmp_path / "new" if part == real_study.folder else part for part in real_study.command
    ]
    there = open_study(real_study.folder)
    file = real_study.folder / "trials" / there.front[0].name / "architecture.json"
    result = run_mbnas(
        *command, "--trials", 2, "--start", "mobilenet_v2", "--start", file,
        "--reuse", real_study.folder,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    study = open_study(tmp_path / "new")
    assert [trial.start for trial in study.trials[:3]] == ["mobilenet_v2", str(file), None]
    assert study.trials[0].status == "trained"
    assert study.savings.known == sum(trial.status == "trained" for trial in there.trials)
    assert "networks in line come first" in result.stdout
    assert re.search(r"saved: +\d+ trainings, .*known from other studies", result.stdout)
    exported = run_mbnas(
        "export", tmp_path / "new", "--pick", f"trial:{study.trials[1].number}",
        "--out", tmp_path / "bundle",
    )  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    again = run_mbnas("search", *command[1:], "--start", "nowhere.json")
    assert again.returncode == 1
    assert "--start nowhere.json: no such file" in again.stderr
