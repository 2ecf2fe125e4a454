"""Memory that is kept between steps: what the C library is asked for, and when."""

from __future__ import annotations

import threading

import pytest

from mbnas.training import allocation
from mbnas.training.allocation import kept_memory


class Library:
    """Stands for the C library; `scripts/bench_training.py` shows what the real one gains."""

    def __init__(self) -> None:
        self.mmap_max = -1
        self.trimmed = 0

    def mallopt(self, parameter: int, value: int) -> None:
        if parameter == allocation._MMAP_MAX:
            self.mmap_max = value

    def malloc_trim(self, _: int) -> None:
        self.trimmed += 1


def test_memory_is_given_back_after_the_last_training(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(allocation, "_c_library", lambda: library)
    with kept_memory():
        with kept_memory():  # a second training at the same time
            assert library.mmap_max == 0
        assert library.mmap_max == 0
        assert library.trimmed == 0
    assert library.mmap_max > 0
    assert library.trimmed == 1


def test_other_threads_leave_it_alone_and_so_do_other_systems(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library = Library()
    monkeypatch.setattr(allocation, "_c_library", lambda: library)

    def train() -> None:
        with kept_memory():
            """Their heaps cannot hold large blocks."""

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert library.mmap_max == -1
    monkeypatch.setattr(allocation, "_c_library", lambda: None)
    with kept_memory():
        assert library.mmap_max == -1
