"""Fronts and ranks on another target, computed by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import some_architectures, tiny_space
from integration.studies import fake_search

from mbnas.analysis.retarget import Retarget, latency_goals, retargeted, within_reach
from mbnas.analysis.retarget_record import RetargetRecord, default_name, record_file
from mbnas.errors import StudyError
from mbnas.measure.host import Host, this_host
from mbnas.measure.latency import Latency
from mbnas.network import costs
from mbnas.report.retarget_page import retarget_page, verdict
from mbnas.search import Goals, Limit, Study, Trial
from mbnas.testing import FakeLatencyMeter
from mbnas.training.trainer import Epoch

ACCURACY = (0.80, 0.85, 0.90, 0.84, 0.70)
OLD_MS = (1.0, 2.0, 3.0, 2.5, 4.0)
NEW_MS = (2.0, 1.5, 6.0, 1.0, 0.5)
NETWORKS = some_architectures(tiny_space(), 6)


def latency(latency_ms: float) -> Latency:
    (some,) = FakeLatencyMeter().measure(NETWORKS[:1], 10)
    ends = {"low_ms": latency_ms * 0.99, "high_ms": latency_ms * 1.01}
    return replace(some, latency_ms=latency_ms, **ends)


def trial(number: int, accuracy: float | None, latency_ms: float, **changes: object) -> Trial:
    values = {"status": "trained", "architecture": NETWORKS[number], **changes}
    return Trial(
        number=number,
        params={},
        accuracy=accuracy,
        latency=latency(latency_ms),
        costs=costs(NETWORKS[number].lower()),
        **values,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Five trained networks, one that was not, and a repeat; the front is 0, 1, 2."""
    made = fake_search(tmp_path_factory.mktemp("retarget") / "study").run(trials=1)
    trials = [trial(at, *pair) for at, pair in enumerate(zip(ACCURACY, OLD_MS, strict=True))]
    trials.append(trial(5, None, 0.1, status="untrained"))
    trials.append(trials[2].as_reused(6))
    return Study(made.folder, made.record, made.space, trials)


def limited(study: Study, goals: Goals) -> Study:
    record = study.record.model_copy(update={"goals": goals})
    return Study(study.folder, record, study.space, study.trials)


def found(
    study: Study,
    reach: float = 1.0,
    new_ms: Sequence[float] = NEW_MS,
    limits: Sequence[Limit] = (),
    confirmed: Mapping[int, float] | None = None,
    **host: object,
) -> Retarget:
    latencies = {
        network.id: latency(value) for network, value in zip(NETWORKS, new_ms, strict=False)
    }
    changed = replace(study.record.host, **host)  # type: ignore[arg-type]
    record = RetargetRecord(host=changed, precision="fp32", classes=10, latencies=latencies)
    goals = latency_goals(study, limits)
    confirmed = confirmed or {}
    trials = within_reach(study, reach, confirmed)
    return retargeted(study, Path("some.json"), record, trials, goals, confirmed)


def numbers(trials: Sequence[Trial]) -> list[int]:
    return [trial.number for trial in trials]


def test_near_is_what_could_be_on_the_front_were_it_faster(study: Study) -> None:
    assert numbers(within_reach(study, 0)) == [0, 1, 2]
    # 2.5 ms less 20 % is as slow as trial 1, which is more accurate; less 30 % is faster.
    assert numbers(within_reach(study, 0.2)) == [0, 1, 2]
    assert numbers(within_reach(study, 0.3)) == [0, 1, 3, 2]
    assert numbers(within_reach(study, 1)) == [0, 1, 3, 2, 4]
    for reach in (-0.1, 1.1, math.nan):
        with pytest.raises(StudyError, match=r"reach = .*: must be between 0"):
            within_reach(study, reach)


def test_a_study_without_trained_trials_is_refused(study: Study) -> None:
    empty = Study(study.folder, study.record, study.space, study.trials[5:])
    with pytest.raises(StudyError, match="no trained trial to time again"):
        within_reach(empty)


def test_fronts_and_ranks(study: Study) -> None:
    one = found(study)
    assert one.old_front == (0, 1, 2)
    assert one.new_front == (4, 3, 1, 2)
    assert (one.left, one.joined) == ([0], [4, 3])
    assert one.why_off(0) == 1
    ranks = {of.trial.number: (of.old_rank, of.new_rank) for of in one.networks}
    assert ranks == {0: (1, 4), 1: (2, 3), 3: (3, 2), 2: (4, 5), 4: (5, 1)}
    assert [of.trial.number for of in one.movers(2)] == [4, 0]
    assert [of.trial.number for of in one.on_a_front] == [4, 3, 1, 0, 2]
    assert one.agreement.tau == pytest.approx((3 - 7) / 10)
    assert one.ratio == 0.75
    assert one.trained == 5


def test_what_is_not_timed_is_on_no_new_front(study: Study) -> None:
    one = found(study, reach=0.3)
    assert one.new_front == (3, 1, 2)
    assert "4 of 5 trained networks were timed" in " ".join(verdict(one))


def test_a_confirmed_front_is_of_what_was_confirmed_by_its_accuracies(study: Study) -> None:
    one = found(study, reach=0, confirmed={0: 0.91, 1: 0.95, 3: 0.97})
    shown = {of.trial.number: of.trial.accuracy for of in one.networks}
    assert shown == {0: 0.91, 1: 0.95, 2: 0.90, 3: 0.97}
    assert one.confirmed == (0, 1, 3)
    assert one.old_front == (0, 1, 3)
    assert one.new_front == (3,)
    assert (one.why_off(0), one.why_off(1)) == (3, 3)
    said = " ".join(verdict(one))
    assert "Both fronts are of the 3 networks that mbnas confirm trained fully" in said
    assert "The other networks have brief accuracies, and are on neither." in said
    page = retarget_page(one)
    assert "<td>90.00% brief</td>" in page
    assert "stand at their brief accuracies" in page
    assert "of confirmed networks as confirmed" in page
    brief = found(study)
    assert "% brief" not in retarget_page(brief)
    assert "confirm" not in " ".join(verdict(brief))


def test_a_confirmed_balanced_accuracy_takes_the_place_of_its_own(study: Study) -> None:
    epoch = Epoch(1, loss=0.5, accuracy=0.4, balanced_accuracy=0.3, seconds=1.0)
    trials = [replace(of, curve=(epoch,)) for of in study.trials[:5]]
    goals = replace(study.record.goals, quality="balanced_accuracy")
    balanced = limited(Study(study.folder, study.record, study.space, trials), goals)
    one = found(balanced, confirmed={0: 0.5, 4: 0.6})
    assert [of.trial.balanced_accuracy for of in one.networks[::4]] == [0.5, 0.6]
    assert one.new_front == (4,)


def test_limits_hold_for_the_new_latencies_upper_ends(study: Study) -> None:
    one = found(limited(study, Goals("latency_ms", (Limit("latency_ms", 5.0),))))
    assert one.new_front == (4, 3, 1)
    assert one.why_off(2) == Limit("latency_ms", 5.0)
    assert "Trial 2 left: it is above the limit, latency ≤\u00a05\u00a0ms." in verdict(one)
    assert found(study, limits=[Limit("latency_ms", 1.005)]).new_front == (4,)


def test_a_limit_takes_the_place_of_the_studys_own(study: Study) -> None:
    params, latency_ms = Limit("params", 1e9), Limit("latency_ms", 5.0)
    narrow = limited(study, Goals("latency_ms", (latency_ms, params)))
    one = found(narrow, limits=[Limit("latency_ms", 7.0)])
    assert one.goals.limits == (params, Limit("latency_ms", 7.0))
    assert one.new_front == (4, 3, 1, 2)
    with pytest.raises(StudyError, match="latency_ms: given twice"):
        found(narrow, limits=[latency_ms, latency_ms])


def test_nothing_within_the_limits_is_said(study: Study) -> None:
    one = found(study, limits=[Limit("latency_ms", 0.1)])
    assert one.new_front == ()
    assert "there is no new front" in " ".join(verdict(one))
    assert "0 trials" in retarget_page(one)


def test_a_study_of_another_cost_has_fronts_of_latency(study: Study) -> None:
    one = found(limited(study, Goals("params", ())))
    assert one.old_front == (0, 1, 2)
    assert "The search minimised parameters; both fronts here are of latency." in verdict(one)


def test_a_repetition_is_said_and_everything_else_named(study: Study) -> None:
    same = found(study)
    assert same.is_repetition
    assert verdict(same)[0].startswith("This is a repetition")
    other = found(study, threads=3, onnxruntime="0.1")
    there = study.record.host.onnxruntime
    assert other.changes == ["threads: 1 there, 3 now", f"ONNX Runtime: {there} there, 0.1 now"]
    int8 = replace(same, precision="int8")
    assert int8.changes == ["precision: fp32 there, int8 now"]
    assert "accuracies are still those in 32 bits" in " ".join(verdict(int8))


def test_a_lead_within_the_intervals_is_in_doubt(study: Study) -> None:
    close = found(study, new_ms=(1.505, *NEW_MS[1:]))
    assert "Trial 0 left: trial 1 is no less accurate and no slower now, though" in " ".join(
        verdict(close)
    )


def test_a_single_network_has_no_order(study: Study) -> None:
    single = Study(study.folder, study.record, study.space, study.trials[:1])
    one = found(single)
    assert math.isnan(one.agreement.tau)
    assert "nan" not in " ".join(verdict(one))
    assert "No rank changed." in verdict(one)


def test_the_name_says_what_sets_it_apart() -> None:
    host = Host("Intel(R) Xeon(R) CPU @ 2.20GHz", 2, 4, "1.23.0", None, "Linux x86_64")
    assert default_name(host, "int8") == "intel-xeon-4-threads-int8-onnxruntime-1.23.0"
    alone = replace(this_host(1), cpu="")
    assert default_name(alone, "fp32") == f"1-thread-fp32-onnxruntime-{alone.onnxruntime}"


@pytest.mark.parametrize("name", ["", "../other", ".hidden", "holder", "a b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(StudyError, match="must be letters, digits"):
        record_file(Path("study"), name)
