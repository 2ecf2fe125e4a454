"""A confirmed network: the best of its trainings, with what all of them came to."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from mbnas.analysis.confirmation import Confirmation, Confirmed, spread
from mbnas.bundle.trained import Accuracy, TrainedNetwork, read_weights
from mbnas.network import Architecture
from mbnas.search import Study

_MEND = "delete the .json beside it and confirm again, which trains it"


def network_of_confirmed(study: Study, found: Confirmation, one: Confirmed) -> TrainedNetwork:
    """A confirmed network of a study's own, ready to be exported.

    Raises:
        ExportError: its weights are gone or damaged.
    """
    architecture, number = one.contested.contender.network, one.trial
    assert isinstance(architecture, Architecture)  # baselines have no trial and are not picked
    assert number is not None
    trial, best, record = study.trial(number), one.best_run, study.record
    weights = read_weights(
        one.contested.weights[best],
        architecture,
        record.data.classes,
        _MEND,
    )
    by_latency = sorted(one.contested.latencies, key=lambda latency: latency.latency_ms)
    validation = one.contested.qualities("accuracy")
    return TrainedNetwork(
        study=study,
        trial=trial,
        architecture=architecture,
        weights=weights,
        origin=f"trial {number} of the study {record.name}, confirmed",
        accuracies={
            "validation": _accuracy(validation, best),
            "test": _accuracy(one.test_accuracy, best),
        },
        latency=by_latency[len(by_latency) // 2],
        recipe=found.recipe,
        remark=_remark(found, one),
    )


def _accuracy(runs: Sequence[float], best: int) -> Accuracy:
    deviation = spread(runs) if len(runs) > 1 else None
    return Accuracy(runs[best], mean(runs), deviation, len(runs))


def _remark(found: Confirmation, one: Confirmed) -> str:
    seeds = len(found.seeds)
    said = (
        f"The network was trained with {seeds} seeds, and these are the weights that are best on"
        " the validation part, so that figure flatters them a little. The test part was opened"
        f" after that ({len(found.openings)} time(s)) and chose nothing."
        if seeds > 1
        else "The test part was opened after the training and chose nothing."
    )
    if not one.is_on_front:
        return f"{said} The network is not on the confirmed front."
    tied = one.place_now.tied_with
    sure = f"{one.place_now.probability:.0%}"
    place = f" It is on the confirmed front in {sure} of the draws of accuracies and costs"
    return f"{said}{place}{f', and tied with {tied}' if tied else ''}."
