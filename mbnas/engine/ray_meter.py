"""Measuring on the hosts of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mbnas.engine.ray_cluster import (
    LATENCY_RESOURCE,
    LOOK_SECONDS,
    START,
    RayCluster,
    lost_errors,
    measuring,
    original,
    remotely,
)
from mbnas.errors import MeasureError, StudyError
from mbnas.measure.host import Host
from mbnas.measure.latency import Latency, LatencyMeter
from mbnas.network import Architecture


class RayMeter:
    """Measures on those hosts of a cluster whose latency counts.

    Args:
        cluster: The cluster.
        meter: With what to measure there.

    Raises:
        StudyError: these hosts differ, or one cannot measure.
    """

    def __init__(self, cluster: RayCluster, meter: LatencyMeter) -> None:
        import ray

        self.cluster = cluster
        self.host = _measuring_host(cluster, meter.threads)
        self.sent = ray.put(meter)

    @property
    def threads(self) -> int:
        """Threads of a measured network."""
        return self.host.threads

    def measure(self, architectures: Sequence[Architecture], classes: int) -> list[Latency]:
        """Latencies in the order given.

        Raises:
            MeasureError: a network cannot be run, or the host died.
        """
        import ray

        from mbnas.engine.ray_tasks import Tools, measure

        if not architectures:
            return []
        tools = Tools(None, self.sent, self.host, classes)
        # A measurement is the same whenever it is made, so that Ray may make it again.
        reference = remotely(measure, max_retries=1, **measuring()).remote(
            tools, list(architectures)
        )
        while not ray.wait([reference], timeout=LOOK_SECONDS)[0]:
            self.cluster.require(LATENCY_RESOURCE)
        try:
            latencies: list[Latency] = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise original(error) from None
        except lost_errors() as error:
            raise MeasureError(f"the measuring host was lost twice ({error})") from None
        return latencies


def _measuring_host(cluster: RayCluster, threads: int) -> Host:
    """The machine that all measuring hosts are one of.

    Raises:
        StudyError: they differ, or one does not answer.
    """
    found: dict[str, Host] = {}
    for node in cluster.nodes():
        if node["Resources"].get(LATENCY_RESOURCE, 0) >= 1:
            found[f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"] = _look(
                node, threads
            )
    hosts = {host.fingerprint: host for host in found.values()}
    if len(hosts) > 1:
        known = "; ".join(f"{name}: {host}" for name, host in found.items())
        raise StudyError(
            f"Ray: the measuring hosts differ, and so would their latencies ({known}); offer "
            f"{LATENCY_RESOURCE} on hosts that are alike only"
        )
    if not hosts:
        raise StudyError(f"Ray: the measuring hosts are gone; start one with {START}")
    (host,) = hosts.values()
    return host


def _look(node: dict[str, Any], threads: int) -> Host:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from mbnas.engine.ray_tasks import look

    there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
    try:
        host: Host = ray.get(
            remotely(look, max_retries=1, num_cpus=0, scheduling_strategy=there).remote(threads)
        )
    except ray.exceptions.RayError as error:
        reason = (str(error).strip().splitlines() or [""])[-1]
        raise StudyError(
            f"{node['NodeManagerHostname']}: mbnas does not run there ({reason}); install the same "
            "mbnas on every host of the cluster"
        ) from None
    return host
