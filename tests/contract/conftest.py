"""A Ray cluster for the tests that want one."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mbnas.engine.on_ray import RayEngine, RayMeter, connect
from mbnas.measure.latency import LatencyMeter
from mbnas.testing import FakeLatencyMeter, FakeTrainer
from mbnas.training.trainer import Trainer


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One host, which trains two at once and measures; this process takes part."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    pytest.importorskip("ray.cluster_utils")  # no part of ray until it is imported
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
                    # A dead node is seen as dead within seconds, one without a core is not.
                    "_system_config": {
                        "health_check_initial_delay_ms": 500,
                        "health_check_period_ms": 500,
                        "health_check_timeout_ms": 10_000,
                        "health_check_failure_threshold": 3,
                    },
                },
            )
            ray.init(address=made.address, log_to_driver=False, logging_level=logging.ERROR)
            yield made
            ray.shutdown()
            made.shutdown()


@pytest.fixture
def opened(cluster: Any) -> Iterator[Callable[..., RayEngine]]:
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
