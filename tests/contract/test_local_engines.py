"""What the engines of this process keep: packs and memory, and measuring beside a training."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_fakes import Make, ignore, local, opened, packed, wait_until
from filelock import FileLock, Timeout
from helpers import some_architectures, stripes, tiny_space

from mbnas.engine import (
    Failed,
    LaidDown,
    LocalEngine,
    Measure,
    Measured,
    MeasuringProcess,
    Train,
    Trained,
    settled_engine,
)
from mbnas.engine.interrupts import INTERRUPTS
from mbnas.measure.cores import CoreLock, usable_cores
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    OutOfMemoryError,
    Training,
    no_step,
)

in_this_process = pytest.mark.parametrize("make", [local, packed])


def test_what_waits_for_a_place_is_not_begun_once_the_engine_is_halted() -> None:
    begun: list[str] = []

    def begin(network: Architecture) -> None:
        begun.append(network.id)
        wait_until(lambda: len(begun) >= 3)

    trainer = FakeTrainer(1000, 0.01, before=begin)
    some = some_architectures(tiny_space(), 5)
    with opened(packed, trainer) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        outcomes = [engine.wait(lambda *_: engine.halt()) for _ in some]
    assert all(isinstance(outcome, LaidDown) for outcome in outcomes)
    assert len(begun) == 3, "as many as there are places"


def test_a_pack_drops_the_epoch_that_begins_while_it_is_halted(tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    begun = threading.Event()

    class Stepwise(FakeTrainer):
        """Its second epoch has begun when its first one is heard of, and would never end."""

        def train(
            self,
            assignment: Assignment,
            on_epoch: Callable[[Epoch], None],
            on_step: Callable[[], None] = no_step,
        ) -> Training:
            steps = 0

            def step() -> None:
                nonlocal steps
                on_step()
                steps += 1
                if steps == 2:
                    begun.set()
                    wait_until(lambda: on_step() is not None)

            return super().train(assignment, on_epoch, step)

    heard: list[int] = []
    with opened(packed, Stepwise()) as engine:

        def halt(_: int, epoch: Epoch) -> None:
            heard.append(epoch.epoch)
            assert begun.wait(60)
            engine.halt()

        checkpoint = tmp_path / "checkpoint"
        engine.submit(Train(0, Assignment(network, 0, checkpoint=checkpoint)))
        assert isinstance(engine.wait(halt), LaidDown)
    assert heard == [1]
    assert checkpoint.read_text().split()[1] == "1"


def test_the_first_process_begun_hears_of_no_interrupt_either() -> None:
    script = """
import multiprocessing, signal
from mbnas.engine.interrupts import held_interrupts

if __name__ == "__main__":
    held = "import signal; print(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))))"
    child = multiprocessing.get_context("spawn").Process(target=exec, args=(held,))
    with held_interrupts():
        child.start()
    child.join()
"""
    command = [sys.executable, "-c", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(sorted(map(int, INTERRUPTS)))


def test_the_measuring_process_leaves_interrupts_to_the_driver() -> None:
    (network,) = some_architectures(tiny_space(), 1)
    meter = MeasuringProcess(1, 0.01)
    try:
        meter.measure([network], 2)
        pid = meter._process.pid
        assert pid is not None
        for number in INTERRUPTS:
            os.kill(pid, number)
        assert len(meter.measure([network], 2)) == 1
        assert meter._process.pid == pid
    finally:
        meter.close()


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


def test_auto_is_processes_where_a_gpu_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    part = stripes(64)
    trainer = TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True, device="cpu")
    assert settled_engine("auto", trainer) == "local"
    monkeypatch.setattr(TorchTrainer, "uses_cores", property(lambda _: False))
    assert settled_engine("auto", trainer) == "workers"
    assert settled_engine("local", trainer) == "local"
    assert settled_engine("auto", FakeTrainer()) == "local"


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
            wait_until(lambda: most >= 2)
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
    engine = packed(FakeTrainer(epochs=10_000, seconds_per_epoch=0.01), FakeLatencyMeter())
    engine.submit(Train(0, Assignment(network, 0, checkpoint=checkpoint)))
    wait_until(checkpoint.exists)
    engine.close()
    reached = int(checkpoint.read_text().split()[1])
    assert reached < 9_999, "the last one's"


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


def kill(process: multiprocessing.process.BaseProcess) -> None:
    process.kill()
    process.join()


def test_a_measuring_process_that_dies_costs_nothing_and_one_that_dies_again_one_trial(
    beside: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = some_architectures(tiny_space(), 4)
    meter = beside._meter
    assert isinstance(meter, MeasuringProcess)
    kill(meter._process)
    beside.submit(Measure(0, some[0]))
    assert isinstance(beside.wait(ignore), Measured)

    again = meter._restart

    def dies_at_once() -> None:
        monkeypatch.undo()
        again()
        kill(meter._process)

    monkeypatch.setattr(meter, "_restart", dies_at_once)
    kill(meter._process)
    for trial in (1, 2, 3):
        beside.submit(Measure(trial, some[trial]))
    lost = beside.wait(ignore)
    assert isinstance(lost, Failed)
    assert (lost.trial, lost.kind) == (1, "lost worker")
    assert "SIGKILL" in lost.reason
    assert [beside.wait(ignore).trial for _ in range(2)] == [2, 3]
    measured = meter.measure(some[:2], 10)
    assert len(measured) == 2


def test_a_programming_error_in_the_measuring_process_keeps_its_traceback() -> None:
    beside = MeasuringProcess(threads=1, seconds=0.02)
    beside.submit(None, 10)  # type: ignore[arg-type]
    with pytest.raises(AttributeError) as caught:
        beside.result()
    assert "in the process mbnas-measuring:\nTraceback" in caught.value.__notes__[0]
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


def is_held(lock: Path) -> bool:
    try:
        FileLock(lock).acquire(timeout=0).lock.release()
    except Timeout:
        return True
    return False


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
        wait_until(lambda: is_held(tmp_path / "mbnas-cores.lock"))
        assert not measured.wait(0.3), "measured beside a training on the same cores"

    seen: list[bool] = []

    def look(trial: int, epoch: Epoch) -> None:
        seen.append(measured.is_set())

    with opened(make, OnCores(before=begin)) as engine:
        engine.submit(Train(1, Assignment(some_architectures(tiny_space(), 1)[0], 0)))
        engine.wait(look)
    assert seen == [True] * 3
    other.join()
