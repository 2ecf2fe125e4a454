"""What the engine with processes of its own keeps beside what every engine keeps."""

from __future__ import annotations

import contextlib
import errno
import gc
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from engine_fakes import (
    CoresMeter,
    Deadly,
    Hanging,
    Large,
    NeedsAll,
    NoPlace,
    NoRoom,
    OnCores,
    Raises,
    marks,
    wait_until,
)
from helpers import ROOT, some_architectures, stripes, tiny_space

import mbnas.engine.places
import mbnas.engine.seats
import mbnas.training.gpu.form
from mbnas.data import load_data
from mbnas.engine import Failed, Measure, Measured, Train, Trained, WorkersEngine
from mbnas.engine.sharing import SharedCopy
from mbnas.errors import StudyError
from mbnas.measure.cores import usable_cores, with_hyperthreads
from mbnas.measure.latency import LatencyMeter
from mbnas.search import open_study
from mbnas.search.equipment import Equipment
from mbnas.search.events import Observer
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Epoch, Trainer


@contextlib.contextmanager
def opened(
    trainer: Trainer, meter: LatencyMeter | None = None, pack: int = 2
) -> Iterator[WorkersEngine]:
    engine = WorkersEngine(trainer, meter or FakeLatencyMeter(), classes=10, pack=pack)
    with contextlib.closing(engine):
        yield engine


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""


def test_a_killed_worker_costs_what_its_last_epoch_took(tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    heard: list[int] = []
    with opened(Deadly(tmp_path, times=1)) as engine:
        engine.submit(Train(7, Assignment(network, 0, checkpoint=tmp_path / "checkpoint")))
        outcome = engine.wait(lambda trial, epoch: heard.append(epoch.epoch))
    assert isinstance(outcome, Trained)
    assert outcome.training.accuracy == fake_accuracy(network)
    assert heard == [1, 2, 3], "the second worker goes on where the first one died"
    assert marks(tmp_path, "death") == ["0"]


def test_an_interrupt_of_all_processes_is_not_a_starting_workers_to_answer() -> None:
    (network,) = some_architectures(tiny_space(), 1)
    with opened(FakeTrainer()) as engine:
        engine.submit(Train(0, Assignment(network, 0)))
        (started,) = multiprocessing.active_children()
        assert started.pid is not None
        os.kill(started.pid, signal.SIGINT)
        outcome = engine.wait(ignore)
        assert isinstance(outcome, Trained)
        assert started.is_alive()


def test_a_job_that_kills_two_workers_fails_and_the_others_go_on(tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    with opened(Deadly(tmp_path, times=2)) as engine:
        engine.submit(Train(7, Assignment(network, 0)))
        lost = engine.wait(ignore)
        engine.submit(Train(8, Assignment(network, 0)))
        whole = engine.wait(ignore)
    assert isinstance(lost, Failed)
    assert (lost.trial, lost.kind) == (7, "lost worker")
    assert "SIGKILL" in lost.reason
    assert "about to die" in lost.log
    assert isinstance(whole, Trained)


UNGUARDED = """
import sys
from mbnas import Search, Recipe, load_data, load_space, minimize, maximize

Search(
    load_space("digits_tiny"),
    load_data("digits"),
    objectives=[maximize("accuracy"), minimize("params")],
    study=sys.argv[1],
    engine="workers",
).run(trials=1)
"""


def test_a_script_that_workers_cannot_read_is_told_what_to_do(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    command = [sys.executable, script, tmp_path / "study"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    *_, last = ended.stderr.splitlines()
    assert "engine workers: none could begin" in last
    assert "if __name__ == '__main__'" in last
    assert "the search that it is to serve" in ended.stderr, "the worker's own words"
    assert not open_study(tmp_path / "study").trials, "no network is blamed"


def test_a_training_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbnas.engine.seats, "GRACE_SECONDS", 0.2)
    (network,) = some_architectures(tiny_space(), 1)
    with opened(Hanging(tmp_path)) as engine:
        engine.submit(Train(3, Assignment(network, 0), seconds=0.2))
        outcome = engine.wait(ignore)
        assert isinstance(outcome, Failed)
        assert (outcome.trial, outcome.kind) == (3, "timeout")
        engine.submit(Measure(4, network))
        assert isinstance(engine.wait(ignore), Measured)


def test_one_that_meets_a_lack_of_memory_is_trained_again_alone(tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 3)
    with opened(NoRoom(tmp_path, some[1].id)) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        outcomes = [engine.wait(ignore) for _ in some]
    assert all(isinstance(outcome, Trained) for outcome in outcomes)
    assert marks(tmp_path, "refused") == [some[1].id]
    assert marks(tmp_path, "alone") == [some[1].id]
    assert marks(tmp_path, "alone_in") != marks(tmp_path, "refused_in"), "a process of its own"


def test_nothing_is_measured_beside_a_training_on_the_same_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = tmp_path / "locks"  # of its own: who else measures on this machine must not come in
    locks.mkdir()
    monkeypatch.setenv("TMPDIR", str(locks))
    some = some_architectures(tiny_space(), 3)
    with opened(OnCores(tmp_path), CoresMeter(tmp_path)) as engine:
        engine.submit(Train(0, Assignment(some[0], 0)))
        engine.submit(Train(1, Assignment(some[1], 0)))
        for trial in range(10, 15):
            engine.submit(Measure(trial, some[2]))
        outcomes = [engine.wait(ignore) for _ in range(7)]
    assert sum(isinstance(outcome, Measured) for outcome in outcomes) == 5
    assert not marks(tmp_path, "overlap")


def test_as_many_are_trained_at_once_as_the_memory_holds(tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 4)
    with opened(Large(tmp_path), pack=4) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        for _ in some:
            assert isinstance(engine.wait(ignore), Trained)
    assert max(int(count) for count in marks(tmp_path, "count")) == 2


def test_what_needs_the_whole_memory_has_no_idle_workers_beside_it() -> None:
    *some, large = some_architectures(tiny_space(), 3)
    alive = []

    def count_alive(trial: int, epoch: Epoch) -> None:
        alive.append((trial, sum(seat.worker is not None for seat in engine._training)))

    with opened(NeedsAll(large.id), pack=2) as engine:
        for trial, network in enumerate(some):
            engine.submit(Train(trial, Assignment(network, 0)))
        for _ in some:
            assert isinstance(engine.wait(ignore), Trained)
        assert sum(seat.worker is not None for seat in engine._training) == 2
        engine.submit(Train(2, Assignment(large, 0)))
        assert isinstance(engine.wait(count_alive), Trained)
    assert alive == [(2, 1)] * 3


def test_the_driver_keeps_off_the_cores_that_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    before = usable_cores()
    if len(before) == len(with_hyperthreads(before[:1])):
        pytest.skip("needs two cores")
    monkeypatch.setattr(mbnas.engine.places, "reserved_cores", lambda _: before[:1])
    with opened(FakeTrainer()):
        assert set(usable_cores()) == set(before) - with_hyperthreads(before[:1])
    assert usable_cores() == before


def test_a_worker_without_room_for_the_images_is_no_end(tmp_path: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    with opened(NoPlace(tmp_path)) as engine:
        engine.submit(Train(7, Assignment(network, 0)))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    assert marks(tmp_path, "refused") == ["0"]


def test_the_images_are_in_memory_once() -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=1), flip=True, crop=True, device="cpu"
    )
    shared = SharedCopy.of((trainer, FakeLatencyMeter()))
    assert len(shared.content) < 20_000 < shared.memory.size
    other, _ = shared.open()
    images = other._train.at(other._train._decoded)
    here = np.frombuffer(shared.memory.buf, np.uint8)
    assert here.__array_interface__["data"][0] <= images.data_ptr()
    assert images.data_ptr() < here.__array_interface__["data"][0] + len(here)
    assert (images == trainer._train.at(trainer._train._decoded)).all()
    del other, images, here
    shared.close()


def test_a_training_in_a_worker_is_the_training_here(tmp_path: Path) -> None:
    trainer = TorchTrainer(
        stripes(128), stripes(64), 2, Recipe(epochs=2), flip=True, crop=True, device="cpu"
    )
    (network,) = some_architectures(tiny_space(), 1)
    with opened(trainer, pack=2) as engine:
        engine.submit(Train(0, Assignment(network, 0, checkpoint=tmp_path / "checkpoint")))
        outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained)
    here = trainer.among(2).train(Assignment(network, 0), lambda _: None)
    assert outcome.training.accuracy == here.accuracy
    assert outcome.model is not None
    for name, value in here.weights.items():
        np.testing.assert_array_equal(outcome.training.weights[name], value)


def test_an_error_of_the_system_is_the_jobs_own() -> None:
    (network,) = some_architectures(tiny_space(), 1)
    full = OSError(errno.ENOSPC, "No space left on device")
    with opened(FakeTrainer(before=Raises(full))) as engine:
        engine.submit(Train(0, Assignment(network, 0)))
        with pytest.raises(OSError, match="No space left"):
            engine.wait(ignore)


def test_a_gpu_that_fails_costs_what_a_crash_costs() -> None:
    (network,) = some_architectures(tiny_space(), 1)
    with opened(FakeTrainer(before=Raises(torch.AcceleratorError("uncorrectable ECC")))) as engine:
        engine.submit(Train(7, Assignment(network, 0)))
        outcome = engine.wait(ignore)
        engine.submit(Measure(8, network))
        assert isinstance(engine.wait(ignore), Measured)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind) == (7, "lost worker")
    assert "uncorrectable ECC" in outcome.log


def test_shared_memory_that_is_too_small_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = TorchTrainer(
        stripes(640), stripes(64), 2, Recipe(epochs=2), flip=True, crop=True, device="cpu"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**10))
    with pytest.raises(StudyError, match=r"images take .* MiB of shared memory.*--shm-size"):
        WorkersEngine(trainer, FakeLatencyMeter(), classes=2, pack=1)


def of_workers() -> Equipment:
    return Equipment(
        load_data("digits"),
        8,
        Recipe(epochs=1),
        "cpu",
        None,
        FakeLatencyMeter(),
        "workers",
        None,
        1,
    )


def test_the_driver_tells_where_workers_compute_by_torchs_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TorchTrainer, "uses_cores", False)  # as one on a GPU
    monkeypatch.setattr(mbnas.training.gpu.form, "why_not", lambda _: "no C compiler")
    with pytest.warns(UserWarning, match="no C compiler"), of_workers().engine(Observer()):
        pass


def test_the_driver_keeps_no_images_that_the_workers_have() -> None:
    equipment = of_workers()
    trainer = equipment.trainer(Observer())
    assert isinstance(trainer, TorchTrainer)
    held = weakref.ref(trainer._train)
    del trainer
    with equipment.engine(Observer()):
        gc.collect()
        assert held() is None


def test_what_cannot_be_sent_is_refused() -> None:
    with pytest.raises(StudyError, match="cannot be sent to another process"):
        WorkersEngine(FakeTrainer(before=lambda _: None), FakeLatencyMeter(), classes=10, pack=1)


def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    code = (
        "import multiprocessing, os, sys\n"
        "sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from engine_fakes import Hanging\n"
        "from helpers import some_architectures, tiny_space\n"
        "from mbnas.engine import Measure, Train, WorkersEngine\n"
        "from mbnas.testing import FakeLatencyMeter\n"
        "from mbnas.training.trainer import Assignment\n"
        "if __name__ == '__main__':\n"
        "    engine = WorkersEngine(Hanging(Path(sys.argv[1])), FakeLatencyMeter(), 10, 1)\n"
        "    (network,) = some_architectures(tiny_space(), 1)\n"
        "    engine.submit(Measure(1, network))\n"
        "    engine.wait(print)\n"
        "    engine.submit(Train(0, Assignment(network, 0)))\n"
        "    print(*(p.pid for p in multiprocessing.active_children()), flush=True)\n"
        "    engine.wait(lambda *_: os.kill(os.getpid(), 9))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    children = [int(pid) for pid in ran.stdout.split()]
    assert len(children) == 2, ran.stderr
    # One of them hangs in its training, and does not look at its pipe.
    wait_until(lambda: not any(is_alive(child) for child in children))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
