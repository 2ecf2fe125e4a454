"""Ray clusters that lose workers and hosts, share out GPUs, or cannot be used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from engine_fakes import ignore, wait_until
from helpers import ROOT, some_architectures, tiny_space
from ray_fakes import Broken, Held, Opened, network, ray

from mbnas.engine import Failed, Measure, Train, Trained
from mbnas.engine.on_ray import RayMeter, connect
from mbnas.errors import MeasureError, StudyError
from mbnas.measure.host import this_host
from mbnas.measure.latency import OrtLatencyMeter
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import (
    Assignment,
    Epoch,
    OutOfMemoryError,
    Training,
    no_step,
)

# Workers cannot import this module: its fakes are sent whole.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


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
    wait_until(lambda: engine.capacity == 4)
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
    wait_until(lambda: engine.capacity == 3)


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
    wait_until(lambda: engine.capacity == 1)


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
