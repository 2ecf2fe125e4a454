"""What the engine keeps that evaluates on Ray, beside what every engine keeps."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, some_architectures, stripes, tiny_space

from mbnas.engine import Failed, LaidDown, Measure, Measured, Train, Trained
from mbnas.engine.on_ray import RayEngine, RayMeter, connect
from mbnas.errors import BuildError, MeasureError, StudyError
from mbnas.measure.cores import CoreLock
from mbnas.measure.host import this_host
from mbnas.measure.latency import Latency, LatencyMeter, OrtLatencyMeter
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
    no_step,
)

if os.environ.get("CI"):
    import ray
else:
    ray = pytest.importorskip("ray", reason="Ray is not installed")

import ray.cluster_utils

# Workers cannot import this module: its fakes are sent whole.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[ray.cluster_utils.Cluster]:
    """One host, which trains two at once and measures; this process takes part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Locks of its own: who else measures on this machine must not come in between.
        with tempfile.TemporaryDirectory(prefix="mbnas-test-") as folder:
            patch.setenv("TMPDIR", folder)
            patch.setattr(tempfile, "tempdir", folder)
            made = ray.cluster_utils.Cluster(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 2,
                    "resources": {"mbnas_latency": 1},
                    "include_dashboard": False,
                    # A dead node is seen as dead within seconds.
                    "_system_config": {
                        "health_check_initial_delay_ms": 500,
                        "health_check_period_ms": 500,
                        "health_check_timeout_ms": 1000,
                        "health_check_failure_threshold": 2,
                    },
                },
            )
            ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
            yield made
            ray.shutdown()
            made.shutdown()


@pytest.fixture
def opened(cluster: ray.cluster_utils.Cluster) -> Iterator[Callable[..., RayEngine]]:
    """Makes engines, and closes them."""
    with contextlib.ExitStack() as engines:

        def make(
            trainer: Trainer | None = None,
            meter: LatencyMeter | None = None,
            classes: int = 10,
            **options: Any,
        ) -> RayEngine:
            engine = RayEngine(
                trainer or FakeTrainer(),
                RayMeter(connect(), meter or FakeLatencyMeter()),
                classes,
                **options,
            )
            engines.callback(engine.close)
            return engine

        yield make


Opened = Callable[..., RayEngine]


def ignore(trial: int, epoch: Epoch) -> None:
    """Hears nothing."""


def network(seed: int = 0) -> Architecture:
    (found,) = some_architectures(tiny_space(), 1, seed)
    return found


def wait_for(condition: Callable[[], Any]) -> Any:
    """What a condition gives, once it gives something."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (given := condition()):
        assert time.monotonic() < until, "in vain"
        time.sleep(0.01)
    return given


def test_outcomes_belong_to_their_trials(opened: Opened) -> None:
    first, second = some_architectures(tiny_space(), 2)
    heard: list[tuple[int, int]] = []
    engine = opened()
    assert engine.capacity == 3
    engine.submit(Measure(4, first))
    engine.submit(Train(9, Assignment(second, 0)))
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


def test_a_job_to_a_rung_comes_back_unfinished_and_goes_on(opened: Opened, tmp_path: Path) -> None:
    assignment = Assignment(network(), 0, until=1, checkpoint=tmp_path / "17" / "checkpoint")
    engine = opened()
    heard: list[int] = []
    engine.submit(Train(0, assignment))
    laid_down = engine.wait(lambda _, epoch: heard.append(epoch.epoch))
    engine.submit(Train(0, replace(assignment, until=None)))
    whole = engine.wait(lambda _, epoch: heard.append(epoch.epoch))
    assert isinstance(laid_down, Trained)
    assert isinstance(whole, Trained)
    assert (laid_down.training.finished, len(laid_down.training.curve)) == (False, 1)
    assert (whole.training.finished, len(whole.training.curve)) == (True, 3)
    assert heard == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("epoch 1: the training loss is nan"), "non-finite"),
        (OutOfMemoryError("training on cuda: no room"), "out of memory"),
        (OutOfTimeError("not trained within 3 s"), "timeout"),
        (MeasureError("cannot run"), "latency"),
        (ParityError("differ"), "parity"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_named_failures_fail_the_trial_with_their_reason(
    opened: Opened, error: Exception, kind: str
) -> None:
    def fail(_: Architecture) -> None:
        raise error

    engine = opened(FakeTrainer(before=fail))
    engine.submit(Train(1, Assignment(network(), 0)))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (1, kind, str(error))
    assert "Traceback" in outcome.log


class Broken(FakeLatencyMeter):
    """Times nothing."""

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        raise MeasureError("cannot run")


def test_a_network_that_cannot_be_timed_fails_its_trial(opened: Opened) -> None:
    engine = opened(meter=Broken())
    engine.submit(Measure(5, network()))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind, outcome.reason) == (5, "latency", "cannot run")


def test_any_other_error_stops_everything(opened: Opened) -> None:
    def fail(_: Architecture) -> None:
        raise ZeroDivisionError("by nought")

    engine = opened(FakeTrainer(before=fail))
    engine.submit(Train(1, Assignment(network(), 0)))
    with pytest.raises(ZeroDivisionError, match="by nought") as caught:
        engine.wait(ignore)
    assert type(caught.value) is ZeroDivisionError
    assert "in a Ray worker:" in caught.value.__notes__[0]
    assert "in fail" in caught.value.__notes__[0]


class Held(FakeTrainer):
    """Notes in a folder who trains what; after its first epoch, waits for a file `go`."""

    def __init__(self, folder: Path, epochs: int = 3) -> None:
        super().__init__(epochs)
        self.folder = folder

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        (self.folder / f"{os.getpid()}.pid").touch()

        def heard(epoch: Epoch) -> None:
            on_epoch(epoch)
            while epoch.epoch == 1 and not (self.folder / "go").exists():
                on_step()
                time.sleep(0.01)

        return super().train(assignment, heard, on_step)

    def trainers(self) -> list[int]:
        return [int(file.stem) for file in self.folder.glob("*.pid")]


def test_an_epoch_is_on_this_disk_before_it_is_heard_of(opened: Opened, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    engine = opened()
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=checkpoint)))
    held: list[str] = []
    engine.wait(lambda *_: held.append(checkpoint.read_text().split()[1]))
    assert held == ["1", "2", "2"]  # the last epoch leaves none


def test_a_halted_engine_lays_its_jobs_down(opened: Opened, tmp_path: Path) -> None:
    some = some_architectures(tiny_space(), 4)
    engine = opened(Held(tmp_path, epochs=10_000))
    for trial, one in enumerate(some):
        engine.submit(Train(trial, Assignment(one, 0, checkpoint=tmp_path / f"{trial}.kept")))
    heard: list[int] = []

    def hear(trial: int, epoch: Epoch) -> None:
        heard.append(trial)
        if len(heard) == 1:
            engine.halt()

    outcomes = [engine.wait(hear) for _ in some]
    assert {type(outcome) for outcome in outcomes} == {LaidDown}
    assert sorted(outcome.trial for outcome in outcomes) == [0, 1, 2, 3]
    for trial in heard:
        assert (tmp_path / f"{trial}.kept").read_text().split()[1] == "1"
    assert len(list(tmp_path.glob("*.kept"))) == len(heard) < len(some)


def test_a_worker_that_is_killed_is_replaced_from_the_last_epoch_on(
    opened: Opened, tmp_path: Path
) -> None:
    trainer = Held(tmp_path)
    heard: list[int] = []

    def hear(_: int, epoch: Epoch) -> None:
        heard.append(epoch.epoch)
        if epoch.epoch == 1:
            (pid,) = trainer.trainers()
            os.kill(pid, signal.SIGKILL)
            (tmp_path / "go").touch()

    engine = opened(trainer)
    engine.submit(Train(3, Assignment(network(), 0, checkpoint=tmp_path / "checkpoint")))
    outcome = engine.wait(hear)
    assert isinstance(outcome, Trained)
    assert outcome.training.finished
    assert heard == [1, 2, 3]
    assert len(trainer.trainers()) == 2


def test_one_whose_worker_dies_twice_fails(opened: Opened) -> None:
    def die(_: Architecture) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    engine = opened(FakeTrainer(before=die))
    engine.submit(Train(3, Assignment(network(), 0)))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Failed)
    assert (outcome.trial, outcome.kind) == (3, "lost worker")
    assert "second time" in outcome.reason
    assert outcome.log


def test_a_node_that_is_lost_takes_no_job_with_it(
    opened: Opened, cluster: ray.cluster_utils.Cluster, tmp_path: Path
) -> None:
    some = some_architectures(tiny_space(), 8)
    second = cluster.add_node(num_cpus=1)
    (there,) = (n["NodeID"] for n in ray.nodes() if n["Alive"] and n["Resources"]["CPU"] == 1)

    class Placed(FakeTrainer):
        """Notes in a folder on which node an epoch ends."""

        def train(
            self,
            assignment: Assignment,
            on_epoch: Callable[[Epoch], None],
            on_step: Callable[[], None] = no_step,
        ) -> Training:
            (tmp_path / ray.get_runtime_context().get_node_id()).touch()
            return super().train(assignment, on_epoch, on_step)

    engine = opened(Placed(epochs=8, seconds_per_epoch=0.1))
    wait_for(lambda: engine.capacity == 4)
    heard: dict[int, list[int]] = {trial: [] for trial in range(len(some))}
    left = [second]

    def hear(trial: int, epoch: Epoch) -> None:
        heard[trial].append(epoch.epoch)
        if left and (tmp_path / there).exists():
            cluster.remove_node(left.pop(), allow_graceful=False)

    for trial, one in enumerate(some):
        checkpoint = tmp_path / f"{trial}.kept"
        engine.submit(Train(trial, Assignment(one, 0, checkpoint=checkpoint)))
    outcomes = [engine.wait(hear) for _ in some]
    assert not left, "no training was placed there"
    assert {type(outcome) for outcome in outcomes} == {Trained}
    assert sorted(outcome.trial for outcome in outcomes) == list(range(len(some)))
    assert all(epochs == list(range(1, 9)) for epochs in heard.values())
    wait_for(lambda: engine.capacity == 3)


def test_gpus_are_shared_out_and_a_lack_of_memory_is_tried_again_alone(
    opened: Opened, cluster: ray.cluster_utils.Cluster, tmp_path: Path
) -> None:
    first, second = some_architectures(tiny_space(), 2)

    def begin(architecture: Architecture) -> None:
        share = ray.get_runtime_context().get_assigned_resources()["GPU"]
        (tmp_path / f"{architecture.id} {share}").touch()
        if architecture == second or share < 1:
            raise OutOfMemoryError("training on cuda: no room")

    node = cluster.add_node(num_cpus=1, num_gpus=1)  # so it says
    engine = opened(FakeTrainer(before=begin), pack=3)
    assert engine.capacity == 4
    for trial, one in enumerate((first, second)):
        engine.submit(Train(trial, Assignment(one, 0)))
    outcomes = {outcome.trial: outcome for outcome in (engine.wait(ignore) for _ in range(2))}
    assert isinstance(outcomes[0], Trained)
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].kind == "out of memory"
    assert {file.name for file in tmp_path.iterdir()} == {
        f"{one.id} {share}" for one in (first, second) for share in (0.3333, 1.0)
    }
    cluster.remove_node(node)
    wait_for(lambda: engine.capacity == 1)


def test_a_checkpoint_that_cannot_be_written_stops_the_search(
    opened: Opened, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    engine = opened()
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=tmp_path / "file" / "checkpoint")))
    with pytest.raises(BuildError, match="cannot be written"):
        engine.wait(ignore)


def test_a_training_on_the_cores_pauses_for_measurements(opened: Opened, tmp_path: Path) -> None:
    class OnCores(Held):
        @property
        def uses_cores(self) -> bool:
            return True

    trainer = OnCores(tmp_path)
    engine = opened(trainer)
    engine.submit(Train(1, Assignment(network(), 0)))
    wait_for(trainer.trainers)
    with CoreLock().alone():  # once the training gives way at a step
        (tmp_path / "go").touch()
    assert isinstance(engine.wait(ignore), Trained)


def test_a_measurement_that_waits_for_its_cores_is_told_of(opened: Opened) -> None:
    waits: list[bool] = []
    with contextlib.ExitStack() as held:

        def hear() -> None:
            waits.append(True)
            held.close()

        engine = opened(meter=OrtLatencyMeter(threads=1, seconds=0.05), on_wait=hear)
        held.enter_context(CoreLock().alone())
        engine.submit(Measure(0, network()))
        assert isinstance(engine.wait(ignore), Measured)
    assert waits == [True]


def test_a_meter_measures_on_the_cluster(cluster: ray.cluster_utils.Cluster) -> None:
    first, second = some_architectures(tiny_space(), 2)
    meter = RayMeter(connect(), OrtLatencyMeter(threads=1, seconds=0.05))
    assert meter.host == this_host(1)
    assert meter.threads == 1
    assert meter.measure([], 10) == []
    latencies = meter.measure([first, second], 10)
    assert all(latency.latency_ms > 0 for latency in latencies)
    assert {latency.host for latency in latencies} == {meter.host.fingerprint}
    with pytest.raises(MeasureError, match="cannot run"):
        RayMeter(connect(), Broken()).measure([first], 10)


def test_a_really_trained_network_comes_with_an_equal_model(opened: Opened, tmp_path: Path) -> None:
    trainer = TorchTrainer(
        stripes(256), stripes(64), 2, Recipe(epochs=2), flip=True, crop=True, device="cpu"
    )
    here = trainer.train(Assignment(network(), 0), lambda _: None)
    engine = opened(trainer, classes=2)
    engine.submit(Train(0, Assignment(network(), 0, checkpoint=tmp_path / "checkpoint")))
    outcome = engine.wait(ignore)
    assert isinstance(outcome, Trained), outcome
    assert outcome.model is not None
    assert [e.accuracy for e in outcome.training.curve] == [e.accuracy for e in here.curve]
    assert all(weight.flags.writeable for weight in outcome.training.weights.values())


def test_a_cluster_that_does_not_measure_is_refused(
    cluster: ray.cluster_utils.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = ray.nodes()
    monkeypatch.setattr(ray, "nodes", lambda: [{**node, "Resources": {}} for node in nodes])
    with pytest.raises(StudyError, match=r"ray start --resources='\{\"mbnas_latency\": 1\}'"):
        connect()


def test_measuring_hosts_that_differ_are_refused(
    cluster: ray.cluster_utils.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node,) = (node for node in ray.nodes() if node["Alive"])
    other = {**node, "NodeManagerHostname": "the-other"}
    monkeypatch.setattr(ray, "nodes", lambda: [node, other])
    monkeypatch.setattr(
        "mbnas.engine.ray_meter._look",
        lambda node, threads: replace(this_host(threads), cpu=node["NodeManagerHostname"]),
    )
    with pytest.raises(StudyError, match=r"the measuring hosts differ.*the-other"):
        RayMeter(connect(), FakeLatencyMeter())


def test_a_host_that_became_another_machine_is_refused(opened: Opened) -> None:
    engine = opened()
    elsewhere = replace(engine._tools.host, cpu="another")
    engine._tools = replace(engine._tools, host=elsewhere)
    engine.submit(Measure(0, network()))
    with pytest.raises(StudyError, match="do not compare"):
        engine.wait(ignore)


def test_what_no_host_offers_any_more_is_not_waited_for_without_end(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = opened(cores=64)
    engine._on_gpu = True  # there is none
    monkeypatch.setattr("mbnas.engine.ray_cluster.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("mbnas.engine.on_ray.LOOK_SECONDS", 0.2)
    engine.submit(Train(0, Assignment(network(), 0)))
    with pytest.raises(StudyError, match="no host of the cluster has offered GPU"):
        engine.wait(ignore)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://host:10001", "run it on one of its hosts"),
        ("127.0.0.1:1", "nobody answers there"),
        ("nonsense", "no Ray cluster can be joined"),
    ],
)
def test_a_cluster_that_cannot_be_joined_is_told_in_a_line(
    address: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(StudyError, match=said) as caught:
        connect(address)
    assert address in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_ray_the_mend_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StudyError, match=r"pip install 'mbnas\[ray\]'"):
        connect()


def test_ray_started_here_is_quiet_and_ended(tmp_path: Path) -> None:
    script = tmp_path / "started_here.py"
    script.write_text(
        "import os, signal\n"
        "from helpers import some_architectures, tiny_space\n"
        "from mbnas.engine import Failed, Train\n"
        "from mbnas.engine.on_ray import RayEngine, RayMeter, connect\n"
        "from mbnas.testing import FakeLatencyMeter, FakeTrainer\n"
        "from mbnas.training.trainer import Assignment\n"
        "import ray\n"
        "def die(_):\n"
        "    print('a last word')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "before = signal.getsignal(signal.SIGTERM)\n"
        "cluster = connect()\n"
        "assert signal.getsignal(signal.SIGTERM) == before\n"
        "meter = RayMeter(cluster, FakeLatencyMeter())\n"
        "engine = RayEngine(FakeTrainer(before=die), meter, 10)\n"
        "(network,) = some_architectures(tiny_space(), 1)\n"
        "engine.submit(Train(0, Assignment(network, 0)))\n"
        "outcome = engine.wait(lambda *_: None)\n"
        "assert isinstance(outcome, Failed)\n"
        "assert 'Worker exit' in outcome.log, outcome.log\n"
        "engine.close()\n"
        "assert not ray.is_initialized()\n"
    )
    paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    result = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
