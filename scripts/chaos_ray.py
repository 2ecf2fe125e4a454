"""Ray on this machine, two nodes, one of which is removed while it trains."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chaos_checks import counted, faults, records, sequence, summary
from chaos_common import Part, Row, fake_search

from mbnas.search import Observer, Snapshot, Trial
from mbnas.testing import FakeTrainer
from mbnas.training.trainer import Epoch

BATCH = 5
CORES = 2
HEALTH = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
CHECK = "Ray, two nodes, one removed while it trains"
TO_REACH = "goes on; all trials end, none twice, as an unbroken search's"


class RemovesNode(Observer):
    """Removes a node once some trials have ended and it has trainings."""

    def __init__(self, cluster: Any, node: Any, after: int) -> None:
        self.cluster, self.node, self.after = cluster, node, after
        self.ended, self.busy, self.removed_at = 0, 0.0, -1

    def trial_ended(self, trial: Trial, snapshot: Snapshot) -> None:  # noqa: ARG002
        self.ended += 1

    def epoch_ended(self, number: int, epoch: Epoch) -> None:  # noqa: ARG002
        if self.ended < self.after or self.removed_at >= 0:
            return
        self.busy = self._busy()
        if self.busy:
            self.removed_at = self.ended
            self.cluster.remove_node(self.node, allow_graceful=False)

    def _busy(self) -> float:
        """Cores of the node on which something is trained."""
        from ray._private.state import available_resources_per_node

        free = available_resources_per_node().get(self.node.node_id, {})
        return CORES - float(free.get("CPU", 0.0)) if free else 0.0


def run(short: bool, out: Path) -> None:
    part = Part("ray", short, out)
    if importlib.util.find_spec("ray") is None:
        part.add(Row("ray", CHECK, TO_REACH, "skipped: Ray is not installed", None))
        return
    trials = 20 if short else 80
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as root:
        fake_search(Path(root) / "unbroken", batch=BATCH).run(trials=trials)
        like = sequence(Path(root) / "unbroken")
        with two_nodes() as (cluster, node):
            _add(part, Path(root) / "study", cluster, node, trials, like)


def _add(part: Part, study: Path, cluster: Any, node: Any, trials: int, like: list[Any]) -> None:
    observer = RemovesNode(cluster, node, trials // 3)
    began = time.monotonic()
    fake_search(
        study,
        trainer=FakeTrainer(4, seconds_per_epoch=0.15),
        engine="ray",
        address=cluster.address,
        batch=BATCH,
    ).run(trials=trials, observer=observer)
    seconds = time.monotonic() - began
    lost = sum(one["failure"] == "lost worker" for one in records(study))
    wrong = counted([faults(study, trials, like=None if lost else like)])
    row = Row(
        "ray",
        f"{CHECK}, {trials} trials",
        TO_REACH,
        f"removed after {observer.removed_at} trials, {observer.busy:g} cores of it at work:"
        f" {trials} trials ended, {summary(wrong)}; {lost} on record as failed",
        observer.removed_at >= 0 and not sum(wrong.values()) and not lost,
    )
    part.add(row, seconds=round(seconds, 1), faults=wrong, lost_twice=lost)


@contextlib.contextmanager
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """A cluster, and its node that only trains."""
    import ray.cluster_utils

    head = {
        "num_cpus": CORES,
        "resources": {"mbnas_latency": 1},
        "include_dashboard": False,
        "_system_config": HEALTH,
    }
    cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        node = cluster.add_node(num_cpus=CORES)
        cluster.wait_for_nodes()
        yield cluster, node
    finally:
        ray.shutdown()
        cluster.shutdown()
