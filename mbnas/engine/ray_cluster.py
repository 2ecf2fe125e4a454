"""A Ray cluster: joining it, what it offers, and having it run something."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from mbnas.engine.jobs import LOG_LINES
from mbnas.errors import StudyError
from mbnas.measure.cores import usable_cores
from mbnas.training.recipe import Precision

LATENCY_RESOURCE = "mbnas_latency"
"""A host that offers one of it measures, one network at a time."""
LOCAL = "local"
ANSWER_SECONDS = 5.0
PATIENCE_SECONDS = 300.0
"""How long a resource may be gone from the cluster: a host that was restarted is waited for."""
LOOK_SECONDS = 2.0
"""How long what the cluster offers is taken to stay the same."""
START = f"""ray start --resources='{{"{LATENCY_RESOURCE}": 1}}'"""


class RayCluster:
    """A cluster that this process takes part in.

    Args:
        ours: Whether this process joined it for mbnas, and leaves it when closed.

    Attributes:
        notices: What Ray said lately of workers and hosts that died.
    """

    def __init__(self, ours: bool) -> None:
        self.notices: deque[str] = deque(maxlen=LOG_LINES)
        self._ours = ours
        self._print_again = _divert(self.notices) if ours else _nothing
        self._offers: list[dict[str, float]] = []
        self._looked = -math.inf
        self._seen: dict[str, float] = {}

    def nodes(self) -> list[dict[str, Any]]:
        """What Ray says of the hosts that are there now."""
        import ray

        known: Callable[[], list[dict[str, Any]]] = ray.nodes
        return [node for node in known() if node["Alive"]]

    def offers(self) -> list[dict[str, float]]:
        """The resources of each host, as of the last seconds."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._offers = [node["Resources"] for node in self.nodes()]
            self._looked = time.monotonic()
            for resource in {name for offer in self._offers for name in offer}:
                self._seen[resource] = self._looked
        return self._offers

    def gpu_precision(self) -> Precision | None:
        """The precision that the cluster's GPUs are sure to gain by; None without GPUs."""
        if not any(offer.get("GPU", 0) > 0 for offer in self.offers()):
            return None
        import ray

        from mbnas.engine.ray_tasks import gpu_precision

        precision: Precision = ray.get(
            remotely(gpu_precision, max_retries=1, num_cpus=0, num_gpus=0.01).remote()
        )
        return precision

    def require(self, resource: str) -> None:
        """Ends a wait for what no host has offered for five minutes.

        Raises:
            StudyError: it is in vain.
        """
        self.offers()
        since = self._seen.setdefault(resource, time.monotonic())
        if time.monotonic() - since > PATIENCE_SECONDS:
            raise StudyError(
                f"Ray: no host of the cluster has offered {resource} for "
                f"{PATIENCE_SECONDS / 60:g} minutes; start one, then go on"
            )

    def close(self) -> None:
        """Leaves the cluster; one that was started for mbnas ends."""
        import ray

        if self._ours:
            ray.shutdown()
        self._print_again()


def connect(address: str | None = None) -> RayCluster:
    """Takes part in a Ray cluster; in one that this process is in already, where it is in one.

    Args:
        address: `auto` for the cluster of this machine, or the `host:port` of one that this
            machine belongs to. None or `local` starts Ray on this machine.

    Raises:
        StudyError: Ray is not installed, no cluster answers, or none of its hosts measures.
    """
    try:
        import ray
    except ModuleNotFoundError:
        raise StudyError("engine ray: Ray is not installed; pip install 'mbnas[ray]'") from None
    ours = not ray.is_initialized()
    if ours:
        with _own_signals(), _quietly():
            _start() if address in (None, LOCAL) else _join(str(address))
    cluster = RayCluster(ours)
    if not any(offer.get(LATENCY_RESOURCE, 0) >= 1 for offer in cluster.offers()):
        cluster.close()
        raise StudyError(
            f"Ray: no host of the cluster measures; start it with {START} on the hosts whose "
            "latency counts"
        )
    return cluster


def _start() -> None:
    import ray

    ray.init(
        address=LOCAL,
        num_cpus=len(usable_cores()),
        resources={LATENCY_RESOURCE: 1},
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def _join(address: str) -> None:
    """Joins a cluster that is there.

    Raises:
        StudyError: it does not answer.
    """
    import ray

    if "://" in address:  # Ray's client for machines outside cannot hear of epochs
        raise StudyError(
            f"address {address}: a search cannot be driven from outside the cluster; run it on one "
            "of its hosts, with the address auto"
        )
    _knock(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StudyError(
            f"address {address}: no Ray cluster can be joined ({reason}); on one of its hosts, the "
            "address auto finds it; where it asks for a token, give it as Ray's page on token "
            f"authentication says; {START} --head starts one"
        ) from None


def _knock(address: str) -> None:
    """Asks whether anybody is there; Ray itself would try for minutes.

    Raises:
        StudyError: nobody is.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise StudyError(
            f"address {address}: nobody answers there ({error}); `ray status` on a host of the "
            "cluster says whether it runs"
        ) from None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps what this process does on SIGTERM, which Ray would decide from now on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Inside, a Ray that is started sends nobody its statistics and does not ask for leave."""
    name = "RAY_USAGE_STATS_ENABLED"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _divert(notices: deque[str]) -> Callable[[], None]:
    """Keeps what Ray would print of dead workers and hosts; gives a function that ends this.

    Ray has no setting for it. Where a version of it prints in another way, it prints.
    """
    from ray._private import worker

    names, name = vars(worker), "print_to_stdstream"
    printing = names.get(name)
    if printing is None:
        return _nothing

    def keep(data: dict[str, Any], *_: object, **__: object) -> None:
        notices.extend(data["lines"])

    names[name] = keep
    return lambda: names.update({name: printing})


def _nothing() -> None:
    """Does nothing."""


def measuring() -> dict[str, Any]:
    """Ray's options for a task that measures."""
    return {"num_cpus": 0, "resources": {LATENCY_RESOURCE: 1}}


def remotely(function: Callable[..., Any], **options: Any) -> Any:
    """A function that runs in the cluster, by Ray's options."""
    import ray

    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",  # a thread that waits leaves its core to others
        # A worker keeps its images on a GPU, and may be given another one the next time: it must
        # see all, and choose.
        "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
    }
    # Ray would end the worker after each task on a GPU, and have the next one start anew.
    remote = ray.remote(max_calls=0)(function)
    return remote.options(runtime_env={"env_vars": environment}, **options)


def lost_errors() -> tuple[type[Exception], ...]:
    """What Ray raises where a worker or a host has died, or what it held was lost with it."""
    from ray import exceptions

    return (
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.LocalRayletDiedError,
        exceptions.ObjectLostError,
        exceptions.OutOfMemoryError,
    )


def original(error: Any) -> Exception:
    """The error that ended a task, with its traceback there as a note."""
    cause: Exception = error.cause
    cause.add_note(f"in a Ray worker:\n{error}")
    return cause
