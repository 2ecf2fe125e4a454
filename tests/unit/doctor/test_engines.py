from __future__ import annotations

import importlib.util
import socket
from typing import Any

import pytest

from mbnas.doctor import engines
from mbnas.doctor.apart import ApartError
from mbnas.doctor.engines import engine


def test_the_search_s_own_process_is_always_there() -> None:
    (found,) = engine("local", None)
    assert found.state == "well"


@pytest.mark.parametrize(("gpu", "taken"), [(False, "local"), (True, "workers")])
def test_auto_is_what_a_search_would_take(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, taken: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    (found,) = engine("auto", None)
    assert found.said.startswith(taken)


def test_an_unknown_engine() -> None:
    (found,) = engine("loco", None)
    assert (found.state, found.mend) == ("fault", "write one of auto, local, workers, ray")


def test_a_worker_starts_and_computes() -> None:
    (found,) = engine("workers", None)
    assert found.state == "well", found.said
    assert "started and computed in" in found.said


def test_a_worker_that_dies_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_answer", exit)  # which takes the pipe for an exit code
    (found,) = engine("workers", None)
    assert found.state == "fault"
    assert "it ended with exit code 1" in found.said
    assert found.mend


def test_a_worker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "WORKER_SECONDS", 0.0)
    (found,) = engine("workers", None)
    assert found.state == "fault"
    assert "no answer within" in found.said


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (found,) = engine("ray", "auto")
    assert (found.state, found.mend) == ("fault", "pip install 'mbnas[ray]'")


@pytest.fixture
def some_ray(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Ray as if it were installed, and what the cluster answers: nodes, or an error."""
    answer: list[Any] = []

    def give(*_: object, **__: object) -> Any:
        if isinstance(answer[0], Exception):
            raise answer[0]
        return answer[0]

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(engines, "apart", give)
    return answer


@pytest.mark.usefixtures("some_ray")
def test_without_an_address_a_cluster_is_started_by_the_search() -> None:
    (found,) = engine("ray", None)
    assert found.state == "well"


@pytest.mark.usefixtures("some_ray")
def test_a_closed_port_is_a_fault_at_once() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    (found,) = engine("ray", address)
    assert found.state == "fault"
    assert f"{address} does not answer" in found.said
    assert "ray start --head" in str(found.mend)


def test_no_cluster_here(some_ray: list[Any]) -> None:
    some_ray.append(ApartError("ConnectionError: Could not find any running Ray instance."))
    (found,) = engine("ray", "auto")
    assert found.state == "fault"
    assert "no cluster at auto (ConnectionError" in found.said
    assert found.mend


def test_hosts_that_measure_are_named(some_ray: list[Any]) -> None:
    nodes = [
        {"host": "a", "resources": {"CPU": 8.0, "GPU": 1.0}},
        {"host": "b", "resources": {"CPU": 4.0, "mbnas_latency": 1.0}},
    ]
    some_ray.append(nodes)
    cluster, measuring = engine("ray", "auto")
    assert cluster.said.endswith("2 node(s) on 2 host(s), 12 cores, 1 GPUs")
    assert (measuring.state, measuring.said) == ("well", "measured on b")
    some_ray[0] = nodes[:1]
    cluster, measuring = engine("ray", "auto")
    assert measuring.state == "note"
    assert """--resources '{"mbnas_latency": 1}'""" in str(measuring.mend)
