"""What every engine keeps."""

from __future__ import annotations

import contextlib
import multiprocessing
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_fakes import BrokenMeter, Meets, Raises, Slow
from helpers import some_architectures, stripes, tiny_space

from mbnas.engine import (
    Engine,
    Failed,
    FailureKind,
    LaidDown,
    LocalEngine,
    Measure,
    Measured,
    MeasuringProcess,
    PackedEngine,
    Train,
    Trained,
    WorkersEngine,
)
from mbnas.errors import DataError, ExportError, MeasureError
from mbnas.measure.cores import CoreLock, usable_cores
from mbnas.measure.latency import LatencyMeter
from mbnas.measure.parity import ParityError
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    NonFiniteLossError,
    OutOfMemoryError,
    OutOfTimeError,
    Trainer,
    Training,
)


def local(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return LocalEngine(trainer, meter, classes=10)


def packed(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return PackedEngine(trainer, meter, classes=10, pack=3)


def workers(trainer: Trainer, meter: LatencyMeter) -> Engine:
    return WorkersEngine(trainer, meter, classes=10, pack=2)


Make = Callable[[Trainer, LatencyMeter], Engine]
every_engine = pytest.mark.parametrize("make", [local, packed, workers])
in_this_process = pytest.mark.parametrize("make", [local, packed])


@contextlib.contextmanager
def opened(
    make: Make, trainer: Trainer | None = None, meter: LatencyMeter | None = None
) -> Iterator[Engine]:
    with contextlib.closing(make(trainer or FakeTrainer(), meter or FakeLatencyMeter())) as engine:
        yield engine


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""


@every_engine
def test_outcomes_belong_to_their_trials(make: Make) -> None:
    first, second = some_architectures(tiny_space(), 2)
    heard: list[tuple[int, int]] = []
    with opened(make) as engine:
        assert engine.capacity >= 1
        engine.submit(Measure(4, first))
        engine.submit(Train(9, Assignment(second, 0)))
        outcomes = {
            outcome.trial: outcome
            for outcome in (
                engine.wait(lambda trial, epoch: heard.append((trial, epoch.epoch)))
                for _ in range(2)
            )
        }
    measured, trained = outcomes[4], outcomes[9]
    assert isinstance(measured, Measured)
    assert measured.latency.latency_ms == fake_latency_ms(first)
    assert isinstance(trained, Trained)
    assert trained.training.accuracy == fake_accuracy(second)
    assert heard == [(9, 1), (9, 2), (9, 3)]


@every_engine
def test_a_job_to_a_rung_comes_back_unfinished_and_goes_on(make: Make, tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    assignment = Assignment(network, 0, until=1, checkpoint=tmp_path / "checkpoint")
    with opened(make) as engine:
        engine.submit(Train(0, assignment))
        laid_down = engine.wait(ignore)
        engine.submit(Train(0, replace(assignment, until=None)))
        whole = engine.wait(ignore)
    assert isinstance(laid_down, Trained)
    assert isinstance(whole, Trained)
    assert (laid_down.training.finished, len(laid_down.training.curve)) == (False, 1)
    assert (whole.training.finished, len(whole.training.curve)) == (True, 3)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("epoch 1: the training loss is nan"), "non-finite"),
        (OutOfMemoryError("training on cuda: no room"), "out of memory"),
        (MemoryError("no room"), "out of memory"),
        (OutOfTimeError("not trained within 3 s"), "timeout"),
        (MeasureError("cannot run"), "latency"),
        (ParityError("differ"), "parity"),
        (ExportError("no such operator"), "export"),
        (DataError("an image is gone"), "data"),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
@every_engine
def test_named_failures_fail_the_trial_with_their_reason(
    make: Make, error: Exception, kind: FailureKind
) -> None:
    with opened(make, FakeTrainer(before=Raises(error))) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == (kind, str(error))
    assert outcome.log.endswith(f"{type(error).__name__}: {error}")
    assert "in __call__" in outcome.log


@every_engine
def test_a_network_that_cannot_be_timed_fails_its_trial(make: Make) -> None:
    with opened(make, meter=BrokenMeter(MeasureError("cannot run"))) as engine:
        engine.submit(Measure(5, some_architectures(tiny_space(), 1)[0]))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (5, "latency", "cannot run")


@every_engine
def test_any_other_error_stops_everything(make: Make) -> None:
    with opened(make, FakeTrainer(before=Raises(ZeroDivisionError("by hand")))) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        with pytest.raises(ZeroDivisionError, match="by hand") as caught:
            engine.wait(ignore)
    told = [str(entry.path) for entry in caught.traceback] + getattr(caught.value, "__notes__", [])
    assert any("engine_fakes.py" in one for one in told)


@every_engine
def test_a_training_that_is_out_of_time_fails(make: Make) -> None:
    trainer = FakeTrainer(epochs=10_000, seconds_per_epoch=0.01)
    with opened(make, trainer) as engine:
        (network,) = some_architectures(tiny_space(), 1)
        engine.submit(Train(1, Assignment(network, 0), seconds=0.05))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.reason) == ("timeout", "not trained within 0.05 s")


@every_engine
def test_a_halted_engine_lays_everything_down_at_an_epoch(make: Make, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 4)
    checkpoints = [tmp_path / str(trial) for trial in range(len(some))]
    heard: dict[int, int] = {}
    with opened(make, FakeTrainer(epochs=1000, seconds_per_epoch=0.01)) as engine:

        def halt(trial: int, epoch: Epoch) -> None:
            heard[trial] = epoch.epoch
            engine.halt()

        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0, checkpoint=checkpoints[trial])))
        outcomes = [engine.wait(halt) for _ in some]
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1, 2, 3]
    assert all(isinstance(outcome, LaidDown) for outcome in outcomes)
    assert heard
    for trial, epoch in heard.items():
        assert epoch <= int(checkpoints[trial].read_text().split()[1]) < 1000


@pytest.mark.parametrize("make", [packed, workers])
def test_a_pack_trains_several_at_once(make: Make, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 2)
    trainer = FakeTrainer(before=Meets(tmp_path, 2))  # none ends before both have begun
    heard: list[int] = []
    with opened(make, trainer) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        outcomes = [engine.wait(lambda trial, _: heard.append(trial)) for _ in some]
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1]
    assert sorted(heard) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("make", [packed, workers])
def test_whichever_ends_first_comes_first(make: Make, tmp_path: Path) -> None:
    slow, quick = some_architectures(tiny_space(), 2)
    with opened(make, FakeTrainer(epochs=1, before=Slow(slow.id, tmp_path / "go"))) as engine:
        engine.submit(Train(0, Assignment(slow, 0)))
        engine.submit(Train(1, Assignment(quick, 0)))
        first = engine.wait(ignore)
        (tmp_path / "go").touch()
        second = engine.wait(ignore)
    assert [first.trial, second.trial] == [1, 0]


def test_one_that_meets_a_lack_of_memory_is_trained_again_alone() -> None:
    first, second = some_architectures(tiny_space(), 2)
    inside: list[str] = []
    begun, refused = threading.Event(), threading.Event()

    class Small(FakeTrainer):
        """Has room for any one, and not for `second` beside another."""

        def train(self, *arguments: Any) -> Training:
            name = arguments[0].architecture.id
            inside.append(name)
            try:
                if name == first.id:
                    begun.set()
                    assert refused.wait(60)
                elif not refused.is_set():
                    assert begun.wait(60)
                    refused.set()
                    raise OutOfMemoryError("training on cuda: no room")
                else:
                    assert inside == [second.id]
                return super().train(*arguments)
            finally:
                inside.remove(name)

    with opened(packed, Small(seconds_per_epoch=0.02)) as engine:
        for trial, network in enumerate((first, second)):
            engine.submit(Train(trial, Assignment(network, 0)))
        outcomes = [engine.wait(ignore) for _ in range(2)]
    assert [type(outcome) for outcome in outcomes] == [Trained, Trained]


def test_one_that_has_no_room_even_alone_fails() -> None:
    tries: list[str] = []

    def fail(network: Architecture) -> None:
        tries.append(network.id)
        raise OutOfMemoryError("training on cuda: no room")

    with opened(packed, FakeTrainer(before=fail)) as engine:
        engine.submit(Train(0, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert "no room" in outcome.reason
    assert len(tries) == 2


def test_a_pack_is_as_large_as_the_memory() -> None:
    some = some_architectures(tiny_space(), 4)
    running = most = 0
    count = threading.Lock()

    class Large(FakeTrainer):
        def memory(self, architecture: Architecture) -> float:
            return 0.3  # of which 0.8 may be used: two fit

        def train(self, *arguments: Any) -> Training:
            nonlocal running, most
            with count:
                running += 1
                most = max(most, running)
            try:
                return super().train(*arguments)
            finally:
                with count:
                    running -= 1

    with opened(packed, Large(seconds_per_epoch=0.02)) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        for _ in some:
            engine.wait(ignore)
    assert most == 2


def test_a_closed_pack_lays_its_trainings_down(tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    checkpoint = tmp_path / "checkpoint"
    begun = threading.Event()
    engine = packed(FakeTrainer(epochs=10_000, before=lambda _: begun.set()), FakeLatencyMeter())
    engine.submit(Train(0, Assignment(network, 0, checkpoint=checkpoint)))
    assert begun.wait(60)
    engine.close()
    reached = int(checkpoint.read_text().split()[1])
    assert reached < 10_000


@pytest.fixture
def beside() -> Iterator[LocalEngine]:
    """An engine that measures really, in a process beside."""
    engine = LocalEngine(FakeTrainer(), MeasuringProcess(threads=1, seconds=0.02), classes=10)
    yield engine
    engine.close()


def test_measuring_beside_keeps_the_order_of_outcomes(beside: LocalEngine) -> None:
    first, second, third = some_architectures(tiny_space(), 3)
    assert beside.capacity == 2
    beside.submit(Measure(0, first))
    beside.submit(Measure(1, second))
    beside.submit(Train(2, Assignment(third, 0)))
    outcomes = [beside.wait(ignore) for _ in range(3)]
    assert [(type(one), one.trial) for one in outcomes] == [
        (Trained, 2),
        (Measured, 0),
        (Measured, 1),
    ]
    assert all(one.latency.latency_ms > 0 for one in outcomes if isinstance(one, Measured))


@pytest.mark.skipif(
    platform.system() != "Linux" or len(usable_cores()) < 2, reason="needs cores to hold"
)
def test_a_measuring_process_has_cores_to_itself() -> None:
    before = usable_cores()
    beside = MeasuringProcess(threads=1, seconds=0.02)
    (process,) = (p for p in multiprocessing.active_children() if p.name == "mbnas-measuring")
    beside.submit(some_architectures(tiny_space(), 1)[0], 10)
    beside.result()
    its_own = set(psutil.Process(process.pid).cpu_affinity())
    assert its_own
    assert not its_own & set(usable_cores())
    beside.close()
    assert usable_cores() == before


def test_a_measuring_process_that_dies_costs_one_trial(beside: LocalEngine) -> None:
    some = some_architectures(tiny_space(), 3)
    beside.submit(Measure(0, some[0]))
    assert isinstance(beside.wait(ignore), Measured)
    (process,) = (p for p in multiprocessing.active_children() if p.name == "mbnas-measuring")
    process.kill()
    process.join()
    beside.submit(Measure(1, some[1]))
    beside.submit(Measure(2, some[2]))
    lost = beside.wait(ignore)
    assert isinstance(lost, Failed)
    assert "measuring process ended" in lost.reason
    assert isinstance(beside.wait(ignore), Measured)


def test_a_programming_error_in_the_measuring_process_keeps_its_traceback() -> None:
    beside = MeasuringProcess(threads=1, seconds=0.02)
    beside.submit(None, 10)  # type: ignore[arg-type]
    with pytest.raises(AttributeError) as caught:
        beside.result()
    assert "in the measuring process:\nTraceback" in caught.value.__notes__[0]
    beside.close()


def test_a_measuring_process_ends_with_its_parent() -> None:
    code = (
        "import multiprocessing, os\n"
        "from mbnas.engine import MeasuringProcess\n"
        "if __name__ == '__main__':\n"
        "    beside = MeasuringProcess(1, 0.02)\n"
        "    print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    child = int(result.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(child).wait(timeout=60)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@in_this_process
def test_a_training_on_the_cores_lets_measurements_in_between_its_steps(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Locks of its own: who else measures on this machine must not come in between.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    measured = threading.Event()

    def measure() -> None:
        with CoreLock().alone():
            measured.set()

    other = threading.Thread(target=measure)

    class OnCores(FakeTrainer):
        @property
        def uses_cores(self) -> bool:
            return True

    def begin(_: Architecture) -> None:
        other.start()
        assert not measured.wait(0.3), "measured beside a training on the same cores"

    seen: list[bool] = []

    def look(trial: int, epoch: Epoch) -> None:
        seen.append(measured.is_set())

    with opened(make, OnCores(before=begin)) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        engine.wait(look)
    assert seen == [True] * 3
    other.join()


def test_a_really_trained_network_comes_with_an_equal_model() -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=1), flip=True, crop=True, device="cpu"
    )
    engine = LocalEngine(trainer, FakeLatencyMeter(), classes=2)
    engine.submit(Train(0, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    assert outcome.model is not None
    assert len(outcome.model) > 1000
