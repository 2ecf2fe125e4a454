"""Conducting a retarget: which trials are timed again, in batches that are kept as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from mbnas.analysis.confirm import open_confirmation
from mbnas.analysis.retarget import REACH, Retarget, latency_goals, retargeted, within_reach
from mbnas.analysis.retarget_record import (
    Precision,
    RetargetRecord,
    default_name,
    held,
    record_file,
)
from mbnas.measure.host import this_host
from mbnas.measure.latency import SECONDS, FileMeter, Latency, OrtLatencyMeter
from mbnas.measure.onnx_file import ARCHITECTURE, to_onnx
from mbnas.measure.quantise import quantised
from mbnas.network import Architecture
from mbnas.search import Limit, Study, Trial

BATCH = 8
"""Networks that take turns, and what a kill may cost."""
CALIBRATION_IMAGES = 16


class RetargetObserver:
    """Watches a retarget: subclasses take up what they care about."""

    def planned(self, file: Path, networks: int, done: int) -> None:
        """So many networks in all, so many of them timed before; a file keeps their latencies."""

    def waits_for_cores(self) -> None:
        """Something else of mbnas goes first."""

    def written(self, trial: Trial) -> None:
        """The network's file is ready to be timed."""

    def timing(self, networks: int) -> None:
        """So many networks are about to be timed, by turns."""

    def timed(self, trial: Trial, latency: Latency) -> None:
        """The latency of a network is on record."""


def retarget(
    study: Study,
    *,
    threads: int | None = None,
    int8: bool = False,
    seconds: float = SECONDS,
    reach: float = REACH,
    limits: Sequence[Limit] = (),
    name: str | None = None,
    meter: FileMeter | None = None,
    observer: RetargetObserver | None = None,
) -> Retarget:
    """Times a study's front and its neighbourhood again, on this machine as it is set up now.

    Nothing is trained, and the study stays as it is. What is broken off goes on when it is called
    again. Once the front is confirmed, all networks that were confirmed are timed too, and both
    fronts are theirs, by the mean validation accuracy of the full trainings.

    Args:
        study: The study.
        threads: Of each network; by default those of the study.
        int8: Whether to time the networks in 8 bits. Accuracies remain those in 32 bits.
        seconds: For each network at most.
        reach: Share of its latency that a network may have to lose to be on the front and still be
            timed: 0 takes the front alone, 1 every trained network. What was confirmed is always
            timed.
        limits: For the new front, in place of the study's on the same quantities or beside them.
        name: Of its file under `retargets/`; by default made of processor, threads, precision and
            ONNX Runtime's version.
        meter: Another meter for this machine; its threads count.
        observer: Hears how it goes.

    Raises:
        StudyError: nothing to time, a file that is damaged or holds another retarget, or a folder
            that is in use or cannot be written.
        MeasureError: fewer than one thread, no time, or a network that cannot be run.
    """
    observer = observer or RetargetObserver()
    goals = latency_goals(study, limits)
    confirmed = _confirmed(study)
    trials = within_reach(study, reach, confirmed)
    if meter is None:
        threads = study.record.threads if threads is None else threads
        meter = OrtLatencyMeter(threads, seconds, on_wait=observer.waits_for_cores)
    precision: Precision = "int8" if int8 else "fp32"
    host = this_host(meter.threads)
    name = default_name(host, precision) if name is None else name
    file = record_file(study.folder.path, name)
    classes = len(study.record.data.classes)
    wanted = RetargetRecord(host=host, precision=precision, classes=classes)
    with held(file, wanted) as found:
        latencies = dict(found.latencies)
        missing = [one for one in trials if one.architecture.id not in latencies]
        observer.planned(file, len(trials), len(trials) - len(missing))
        for batch in _batches(missing):
            files = []
            for one in batch:
                files.append(_file(one.architecture, classes, precision))
                observer.written(one)
            observer.timing(len(files))
            new = meter.measure_files(files)
            latencies |= zip((one.architecture.id for one in batch), new, strict=True)
            wanted.with_latencies(latencies).write(file)
            for one, latency in zip(batch, new, strict=True):
                observer.timed(one, latency)
    return retargeted(study, file, wanted.with_latencies(latencies), trials, goals, confirmed)


def _confirmed(study: Study) -> dict[int, float]:
    """Mean validation accuracies of the study's own confirmed networks, by their trials' numbers.

    None without a confirmed front.
    """
    found = open_confirmation(study)
    if found is None or not found.front:
        return {}
    return {one.trial: mean(one.validation) for one in found.networks if one.trial is not None}


def _batches(trials: Sequence[Trial]) -> Iterator[Sequence[Trial]]:
    """Trials that are alike in latency together: the order of these is decided by little."""
    for at in range(0, len(trials), BATCH):
        yield trials[at : at + BATCH]


def _file(architecture: Architecture, classes: int, precision: Precision) -> bytes:
    """The network's ONNX file with fresh random weights, which cost the same time."""
    graph = architecture.lower(classes)
    content = to_onnx(graph, metadata={ARCHITECTURE: architecture.to_json()})
    if precision == "fp32":
        return content
    shape = (CALIBRATION_IMAGES, *graph.input_shape)
    noise = np.random.default_rng(0).standard_normal(shape, np.float32)
    return quantised(content, [noise])
