"""What every engine keeps."""

from __future__ import annotations

import contextlib
import multiprocessing
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

import psutil
import pytest
from helpers import some_architectures, stripes, tiny_space

from mbnas.engine import (
    Engine,
    Failed,
    LocalEngine,
    Measure,
    Measured,
    MeasuringProcess,
    Train,
    Trained,
)
from mbnas.errors import MeasureError
from mbnas.measure.cores import CoreLock, usable_cores
from mbnas.measure.latency import Latency
from mbnas.measure.parity import ParityError
from mbnas.measure.recipe import Recipe
from mbnas.measure.training import Epoch, NonFiniteLossError, OutOfMemoryError, TorchTrainer
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy, fake_latency_ms


def local(trainer: FakeTrainer | None = None) -> Engine:
    return LocalEngine(trainer or FakeTrainer(), FakeLatencyMeter(), classes=10)


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""


def test_outcomes_belong_to_their_trials() -> None:
    engine = local()
    first, second = some_architectures(tiny_space(), 2)
    engine.submit(Measure(4, first))
    engine.submit(Train(9, second, seed=0))
    heard: list[tuple[int, int]] = []
    outcomes = {
        outcome.trial: outcome
        for outcome in (
            engine.wait(lambda trial, epoch: heard.append((trial, epoch.epoch))) for _ in range(2)
        )
    }
    measured, trained = outcomes[4], outcomes[9]
    assert isinstance(measured, Measured)
    assert measured.latency.latency_ms == fake_latency_ms(first)
    assert isinstance(trained, Trained)
    assert trained.training.accuracy == fake_accuracy(second)
    assert heard == [(9, 1), (9, 2), (9, 3)]
    assert engine.capacity >= 1


@pytest.mark.parametrize(
    "error",
    [
        NonFiniteLossError("epoch 1: the training loss is nan"),
        OutOfMemoryError("training on cuda: no room"),
        MemoryError("no room"),
        MeasureError("cannot run"),
        ParityError("differ"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_named_failures_fail_the_trial_with_their_reason(error: Exception) -> None:
    def fail(_: Architecture) -> None:
        raise error

    engine = local(FakeTrainer(before=fail))
    engine.submit(Train(1, some_architectures(tiny_space(), 1)[0], seed=0))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert outcome.reason == f"{type(error).__name__}: {error}"


def test_a_network_that_cannot_be_timed_fails_its_trial() -> None:
    class Broken(FakeLatencyMeter):
        def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
            raise MeasureError("cannot run")

    engine = LocalEngine(FakeTrainer(), Broken(), classes=10)
    engine.submit(Measure(5, some_architectures(tiny_space(), 1)[0]))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.reason) == (5, "MeasureError: cannot run")


def test_any_other_error_stops_everything() -> None:
    def fail(_: Architecture) -> None:
        raise ZeroDivisionError

    engine = local(FakeTrainer(before=fail))
    engine.submit(Train(1, some_architectures(tiny_space(), 1)[0], seed=0))
    with pytest.raises(ZeroDivisionError):
        engine.wait(ignore)


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
    beside.submit(Train(2, third, seed=0))
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


def test_a_training_on_the_cores_lets_measurements_in_between_its_epochs() -> None:
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

    seen: dict[int, bool] = {}
    engine = local(OnCores(before=begin))
    engine.submit(Train(1, some_architectures(tiny_space(), 1)[0], seed=0))
    engine.wait(lambda _, epoch: seen.setdefault(epoch.epoch, measured.is_set()))
    assert seen == {1: False, 2: True, 3: True}
    other.join()


def test_a_really_trained_network_comes_with_an_equal_model() -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=1), flip=True, crop=True, device="cpu"
    )
    engine = LocalEngine(trainer, FakeLatencyMeter(), classes=2)
    engine.submit(Train(0, some_architectures(tiny_space(), 1)[0], seed=0))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    assert outcome.model is not None
    assert len(outcome.model) > 1000
