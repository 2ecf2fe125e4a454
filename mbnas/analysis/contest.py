"""Training and timing some networks alike, so that they can be held against each other.

What `mbnas baselines` and `mbnas confirm` have in common. Whatever is broken off goes on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

from mbnas.analysis.contenders import Contender
from mbnas.analysis.contest_record import (
    LATENCIES_FILE,
    RECORD_FILE,
    ContestRecord,
    Latencies,
    held,
    latencies_of,
    trainings_of,
)
from mbnas.analysis.records import read_file, write_file
from mbnas.analysis.trainings import Done, Wanted
from mbnas.data import Dataset
from mbnas.engine import make_engine, make_trainer
from mbnas.measure.latency import FileMeter, Latency, OrtLatencyMeter
from mbnas.network import Architecture, Costs
from mbnas.search import Study
from mbnas.search.samplers import derived_seed
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Epoch, Trainer

TIMED = ("latency_ms", "p90_ms")
"""Costs that are measured, and differ from round to round."""
_NORMAL_95 = 1.96


class ContestObserver:
    """Watches a contest: subclasses take up what they care about."""

    def images_decoded(self, done: int, total: int) -> None:
        """Before something is trained: so many images of a part are read."""

    def waits_for_cores(self) -> None:
        """A measurement of mbnas goes first; may be called from any thread."""

    def planned(self, trainings: int, epochs: int, done: int) -> None:
        """So many trainings in all, so many of them done before; so many epochs are left."""

    def epoch_ended(self, contender: Contender, epoch: Epoch) -> None:
        """One epoch of a training has ended."""

    def training_ended(self, contender: Contender, done: Done) -> None:
        """A training is on record."""

    def timing(self, networks: int, round_: int, rounds: int) -> None:
        """Networks are about to be timed, for the so-manieth time of so many."""

    def testing(self, done: int, total: int) -> None:
        """So many trained networks have been run on the test part."""


@dataclass(frozen=True, slots=True)
class Contested:
    """A network with all that a contest found.

    Attributes:
        contender: The network.
        runs: Its trainings, in the order of the seeds.
        latencies: Its latencies, one a round.
        costs: What it costs by arithmetic.
        weights: Where the weights of each training are, if they are kept.
    """

    contender: Contender
    runs: tuple[Done, ...]
    latencies: tuple[Latency, ...]
    costs: Costs
    weights: tuple[Path, ...]

    @property
    def failure(self) -> str | None:
        """Why one of its trainings failed; None where none did."""
        return next((run.failure for run in self.runs if run.failure is not None), None)

    def qualities(self, quality: str) -> tuple[float, ...]:
        """Validation accuracy of each training, of one of `QUALITIES`."""
        return tuple(float(getattr(run.curve[-1], quality)) for run in self.runs)

    def cost(self, quantity: str) -> float:
        """Of one of `COSTS`; of a latency, the median of the rounds."""
        if quantity in TIMED:
            return median(float(getattr(one, quantity)) for one in self.latencies)
        return float(getattr(self.costs, quantity))

    def cost_error(self, quantity: str) -> float:
        """Its standard error: of the rounds' spread, or of the intervals, whichever is larger."""
        if quantity not in TIMED:
            return 0.0
        values = [float(getattr(one, quantity)) for one in self.latencies]
        spread = stdev(values) if len(values) > 1 else 0.0
        within = mean(interval_error(one) for one in self.latencies)
        return float(max(spread, within) / len(values) ** 0.5)

    def last_fifths(self, quality: str) -> tuple[float, ...]:
        """What the last fifth of the epochs brought each of its trainings.

        Little, where more epochs would bring little too.
        """
        gains = []
        for run in self.runs:
            at = max(1, len(run.curve) - round(len(run.curve) / 5)) - 1
            gains.append(getattr(run.curve[-1], quality) - getattr(run.curve[at], quality))
        return tuple(gains)


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Trainings and timings of some networks in a folder.

    Attributes:
        folder: Keeps what is done.
        record: How they are trained and timed.
        study_seed: Of the study, from which a network's own seed comes.
        classes: Number of classes of the data.
        trainer: Made when something is left to train: reading the images takes its time.
        meter: Times networks.
        keep_weights: Whether the weights of trainings are kept.
        pack: Networks trained at once; None takes the usual number.
        observer: Hears how it goes.
    """

    folder: Path
    record: ContestRecord
    study_seed: int
    classes: int
    trainer: Callable[[], Trainer]
    meter: FileMeter
    keep_weights: bool
    pack: int | None
    observer: ContestObserver

    def run(self, contenders: Sequence[Contender]) -> list[Contested]:
        """Does what is not done yet, for these and all that the contest has begun with before.

        The largest networks are trained first: at the end no core waits long for another's last.

        Raises:
            StudyError: the folder is in use, cannot be written, or holds another contest.
        """
        with held(self.folder, self.record, contenders):
            entries = read_file(ContestRecord, self.folder / RECORD_FILE).contenders
            every = {one.id: one for one in (entry.contender() for entry in entries)}
            self._train(every)
            self._time(list(every.values()))
        return contested(self.folder, self.study_seed, self.classes)

    def _train(self, contenders: Mapping[str, Contender]) -> None:
        place = trainings_of(self.folder, keep_weights=self.keep_weights)
        largest_first = sorted(contenders.values(), key=lambda one: -one.costs(self.classes).macs)
        wanted = [
            one for each in largest_first for one in _wanted(each, self.record, self.study_seed)
        ]
        missing = place.missing(wanted)
        epochs = self.record.recipe.epochs
        self.observer.planned(len(wanted), epochs * len(missing), len(wanted) - len(missing))
        if not missing:
            return
        engine = make_engine(
            "local",
            self.trainer(),
            OrtLatencyMeter(),  # an engine has one; nothing is measured in it
            self.classes,
            self.pack,
            self.observer.waits_for_cores,
        )
        with contextlib.closing(engine):
            place.run(
                wanted,
                engine,
                lambda one, epoch: self.observer.epoch_ended(
                    contenders[one.architecture.id], epoch
                ),
                lambda one, done: self.observer.training_ended(
                    contenders[one.architecture.id], done
                ),
            )

    def _time(self, contenders: Sequence[Contender]) -> None:
        """Round after round, all that lack one together, so that drift hits all alike."""
        known = latencies_of(self.folder)
        files: dict[str, bytes] = {}
        for round_ in range(self.record.rounds):
            lacking = [one for one in contenders if len(known.get(one.id, ())) <= round_]
            if not lacking:
                continue
            files |= {one.id: one.file(self.classes) for one in lacking if one.id not in files}
            self.observer.timing(len(lacking), round_ + 1, self.record.rounds)
            found = self.meter.measure_files([files[one.id] for one in lacking])
            for one, latency in zip(lacking, found, strict=True):
                known[one.id] = (*known.get(one.id, ()), latency)
            write_file(self.folder / LATENCIES_FILE, Latencies(rounds=known))


def contest_of_study(
    study: Study,
    name: str,
    images: Dataset,
    *,
    recipe: Recipe,
    seeds: Sequence[int],
    rounds: int,
    host: str,
    trainer: Trainer | None,
    meter: FileMeter,
    device: str | None,
    keep_weights: bool,
    pack: int | None,
    observer: ContestObserver,
) -> Contest:
    """A contest in a folder of the study's, on its images at its largest resolution."""
    record, resolution = study.record, study.space.resolutions[-1]
    return Contest(
        folder=study.folder.path / name,
        record=ContestRecord(
            recipe=recipe,
            seeds=tuple(seeds),
            rounds=rounds,
            threads=meter.threads,
            host=host,
            digest=record.data.digest,
            validation_members=tuple(images.members("validation").tolist()),
        ),
        study_seed=record.seed,
        classes=len(record.data.classes),
        trainer=lambda: (
            trainer or make_trainer(images, resolution, recipe, device, observer.images_decoded)
        ),
        meter=meter,
        keep_weights=keep_weights,
        pack=pack,
        observer=observer,
    )


def interval_error(latency: Latency) -> float:
    """The standard error that a latency's interval stands for."""
    return (latency.high_ms - latency.low_ms) / 2 / _NORMAL_95


def contested(folder: Path, study_seed: int, classes: int) -> list[Contested]:
    """What a contest has found of the networks that it has trained and timed.

    Raises:
        StudyError: its files are damaged.
    """
    record = read_file(ContestRecord, folder / RECORD_FILE)
    latencies = latencies_of(folder)
    place = trainings_of(folder)
    found = []
    for entry in record.contenders:
        contender = entry.contender()
        wanted = _wanted(contender, record, study_seed)
        timed = latencies.get(contender.id, ())
        if not all(map(place.has_ended, wanted)) or len(timed) < record.rounds:
            continue
        found.append(
            Contested(
                contender,
                tuple(place.done(wanted)),
                timed,
                contender.costs(classes),
                tuple(place.weights_file(one) for one in wanted),
            )
        )
    return found


def _wanted(contender: Contender, record: ContestRecord, study_seed: int) -> list[Wanted]:
    seeds = record.seeds or (_own_seed(contender, study_seed),)
    return [Wanted(contender.network, seed) for seed in seeds]


def _own_seed(contender: Contender, study_seed: int) -> int:
    """The seed with which a trial of the study would train the network."""
    network = contender.network
    if isinstance(network, Architecture):
        return derived_seed(study_seed, int(network.id, 16))
    return derived_seed(study_seed, *network.id.encode())
