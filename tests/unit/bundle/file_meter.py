"""A meter of files that answers with what it is told."""

from __future__ import annotations

from collections.abc import Sequence

from mbnas.measure.latency import Latency


class FakeFileMeter:
    """Gives files the latencies that it was made with, in order."""

    threads = 1

    def __init__(self, *latencies_ms: float, host: str = "here") -> None:
        self.latencies_ms = latencies_ms
        self.host = host

    def measure_files(self, files: Sequence[bytes]) -> list[Latency]:
        """One latency a file."""
        return [self._latency(value) for _, value in zip(files, self.latencies_ms, strict=True)]

    def _latency(self, value: float) -> Latency:
        return Latency(
            latency_ms=value,
            low_ms=0.95 * value,
            high_ms=1.05 * value,
            p50_ms=value,
            p90_ms=value,
            samples=10,
            runs=10,
            noisy=False,
            slowdown=1.0,
            reference_ms=None,
            threads=1,
            pinned=False,
            host=self.host,
        )
