"""Whether what is to evaluate the networks answers."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import multiprocessing
import socket
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from typing import Any, Literal, get_args

from mbnas.doctor.apart import ApartError, apart
from mbnas.doctor.finding import Finding, fault, first_line, note, well

EngineName = Literal["auto", "local", "workers", "ray"]
LATENCY_RESOURCE = "mbnas_latency"
"""Ray's custom resource of the hosts whose latencies count."""
WORKER_SECONDS = 60.0
ENDING_SECONDS = 30.0
PORT_SECONDS = 3.0
CLUSTER_SECONDS = 30.0
_WHAT = "engine"


def engine(name: str, address: str | None) -> list[Finding]:
    """Whether an engine can be used from here."""
    if name == "auto":
        import torch

        name = "workers" if torch.cuda.is_available() else "local"
    if name == "local":
        return [well(_WHAT, "local: networks are trained and measured in the search's own process")]
    if name == "workers":
        return [_workers()]
    if name == "ray":
        return _ray(address)
    known = ", ".join(get_args(EngineName))
    return [fault(_WHAT, f"{name}: no such engine", f"write one of {known}")]


def _workers() -> Finding:
    """Starts a process as that engine does, and waits for its answer."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs,), daemon=True, name="mbnas-doctor")
    began = time.monotonic()
    process.start()
    theirs.close()
    try:
        answered = ours.poll(WORKER_SECONDS)
        said = ours.recv() if answered else None
    except (EOFError, OSError):
        process.join(ENDING_SECONDS)
        said = f"it ended with exit code {process.exitcode}"
    finally:
        ours.close()
        process.kill()
        process.join()
    if said is None:
        said = f"it gave no answer within {WORKER_SECONDS:.0f} s"
    if said:
        mend = "see the findings on memory and torch; calling from a script, keep what it runs"
        mend += " under: if __name__ == '__main__'"
        return fault(_WHAT, f"workers: a process was started and did not work: {said}", mend)
    seconds = time.monotonic() - began
    return well(_WHAT, f"workers: a process started and computed in {seconds:.1f} s")


def _answer(pipe: Connection) -> None:
    """What the process does: it loads torch and computes; it says what went wrong, or nothing."""
    try:
        import torch

        ones = torch.ones(8, 8, device="cuda" if torch.cuda.is_available() else "cpu")
        right = float((ones @ ones).sum()) == 8**3
        pipe.send("" if right else "it computes wrongly")
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        with contextlib.suppress(OSError):
            pipe.send(first_line(error))


def _ray(address: str | None) -> list[Finding]:
    if importlib.util.find_spec("ray") is None:
        return [fault(_WHAT, "ray: not installed", "pip install 'mbnas[ray]'")]
    try:
        name = f"ray {version('ray')}"
    except PackageNotFoundError:
        name = "ray"
    if address is None:
        said = f"{name}: a search without --address starts a cluster of its own on this machine"
        return [well(_WHAT, said)]
    start = "start one with: ray start --head; is --address right? Its hosts need this same ray"
    if silent := _closed_port(address):
        return [fault(_WHAT, f"{name}: {address} does not answer ({silent})", start)]
    try:
        nodes = apart(nodes_of_cluster, address, seconds=CLUSTER_SECONDS)
    except ApartError as error:
        return [fault(_WHAT, f"{name}: no cluster at {address} ({error})", start)]
    return _cluster(f"{name} at {address}", nodes)


def _closed_port(address: str) -> str | None:
    """Why nobody answers at `host:port`; None if somebody does, or the address is another kind."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdecimal():
        return None
    try:
        socket.create_connection((host.strip("[]"), int(port)), PORT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        return first_line(error)
    return None


def nodes_of_cluster(address: str) -> list[dict[str, Any]]:
    """Hosts of a running Ray cluster, and what each has."""
    ray: Any = importlib.import_module("ray")  # typed in part
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    return [
        {"host": node["NodeManagerHostname"], "resources": node["Resources"]}
        for node in ray.nodes()
        if node["Alive"]
    ]


def _cluster(name: str, nodes: Sequence[Mapping[str, Any]]) -> list[Finding]:
    hosts = {node["host"] for node in nodes}
    cores = sum(node["resources"].get("CPU", 0) for node in nodes)
    gpus = sum(node["resources"].get("GPU", 0) for node in nodes)
    said = f"{name}: {len(nodes)} node(s) on {len(hosts)} host(s), {cores:g} cores, {gpus:g} GPUs"
    found = [well(_WHAT, said)]
    measuring = sorted({n["host"] for n in nodes if n["resources"].get(LATENCY_RESOURCE, 0) > 0})
    if measuring:
        found.append(well("latency hosts", f"measured on {', '.join(measuring)}"))
    else:
        mend = "on the hosts whose latencies count: ray start --address ... --resources "
        mend += f"'{{\"{LATENCY_RESOURCE}\": 1}}'"
        said = f"no host has the resource {LATENCY_RESOURCE}, so none is named for measuring"
        found.append(note("latency hosts", said, mend))
    return found
