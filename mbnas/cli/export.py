"""mbnas export: take a network home."""

from __future__ import annotations

import argparse

import mbnas


def run(arguments: argparse.Namespace) -> int:
    """Runs the verb."""
    study = mbnas.open_study(arguments.study)
    out = arguments.out or arguments.study / "bundle"
    bundle = mbnas.export(
        study,
        out,
        arguments.pick,
        data=arguments.data,
        int8=arguments.int8,
        max_drop=arguments.max_drop,
    )
    show(bundle)
    return 0


def show(bundle: mbnas.Bundle) -> None:
    """Prints what an export left."""
    trial, now, recorded = bundle.trial, bundle.latency, bundle.recorded
    before = "not measured" if recorded is None else f"{recorded.latency_ms:.3f} ms"
    again = f"{now.latency_ms:.3f} ms{' (noisy)' if now.noisy else ''}"
    print(f"trial {trial.number}, {before}; timed again {again}")
    if bundle.latency_note is not None:
        print(f"note: {bundle.latency_note}")
    print(f"validation accuracy {bundle.accuracy:.4f}, run with ONNX Runtime from the file")
    tested = bundle.test_accuracy
    print("test part not opened" if tested is None else f"test accuracy {tested:.4f}, likewise")
    print(f"ONNX Runtime, model.py and PyTorch agree within {bundle.difference:.1e}")
    if bundle.int8 is not None:
        print(f"in 8 bits {bundle.int8.figures}")
    print(f"bundle:  {bundle.folder}")
