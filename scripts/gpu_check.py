"""The GPU tests and the training figures of a GPU, within nine minutes.

Called by `scripts/gpu_check`. Needs torch, numpy, and Pillow for CIFAR-10 and the stock loop. Where
pytest is missing, the tests are called one after another without it.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 9 * 60
OLDEST_TORCH = (2, 11)


def gpu_tests(timeout: float) -> dict[str, Any]:
    """Outcome of the tests under tests/gpu, by name."""
    if importlib.util.find_spec("pytest") is None:
        return without_pytest(timeout)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "tests/gpu"]
    # Its own settings and no conftest: those need what a bare machine lacks.
    command += ["--noconftest", "-c", "/dev/null", "--rootdir", str(ROOT)]
    command += ["-o", "pythonpath=tests", "--import-mode=importlib"]
    command += ["--continue-on-collection-errors"]
    more = os.environ.get("PYTHONPATH", "")
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}:{more}".rstrip(":")}
    try:
        found = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **path},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return not_done(timeout)
    lines = found.stdout.splitlines()
    outcomes = [line for line in lines if line.startswith(("PASSED", "FAILED", "ERROR", "SKIPPED"))]
    return {
        "passed": sum(line.startswith("PASSED") for line in outcomes),
        "skipped": [line for line in outcomes if line.startswith("SKIPPED")],
        "failed": [line for line in outcomes if line.startswith(("FAILED", "ERROR"))]
        or ([] if found.returncode == 0 else [f"pytest ended with {found.returncode}"]),
        "output": "" if found.returncode == 0 else found.stdout[-6000:] + found.stderr[-2000:],
    }


def not_done(timeout: float) -> dict[str, Any]:
    return {"passed": 0, "skipped": [], "failed": [f"not done after {timeout:.0f} s"]}


def without_pytest(timeout: float) -> dict[str, Any]:
    """The same in a process of its own that calls the tests; it ends however long they take."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tests.json"
        command = [sys.executable, __file__, "--tests-into", str(file)]
        try:
            found = subprocess.run(command, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            return not_done(timeout)
        if not file.exists():
            died = f"its process ended with {found.returncode}"
            return {"passed": 0, "skipped": [], "failed": [died]}
        told: dict[str, Any] = json.loads(file.read_text())
        return told


def called_tests() -> dict[str, Any]:
    """Calls the tests one by one; a stand-in says what of pytest they use."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    sys.modules["pytest"] = stand_in()
    passed, skipped, failed = 0, [], []
    for file in sorted((ROOT / "tests" / "gpu").glob("test_*.py")):
        specification = importlib.util.spec_from_file_location(file.stem, file)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        try:
            specification.loader.exec_module(module)
        except _SkippedError as reason:
            skipped.append(f"{file.name}: {reason}")
            continue
        for name, test in vars(module).items():
            if name.startswith("test_"):
                for case in getattr(test, "cases", [{}]):
                    fault = fault_of(test, case)
                    passed += fault is None
                    failed += [] if fault is None else [f"FAILED {name} {case}: {fault}"]
    return {"passed": passed, "skipped": skipped, "failed": failed}


def fault_of(test: Callable[..., None], case: dict[str, Any]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        known = {"tmp_path": Path(folder), **case}
        try:
            test(**{name: known[name] for name in inspect.signature(test).parameters})
        except Exception:  # noqa: BLE001
            return traceback.format_exc()
    return None


class _SkippedError(Exception):
    """A file whose needs are not met."""


def stand_in() -> ModuleType:
    """As much of pytest as the GPU tests use."""

    class Raises:
        def __init__(self, kind: type[Exception], match: str = "") -> None:
            self.kind, self.match = kind, match

        def __enter__(self) -> None:
            """Waits for the error."""

        def __exit__(self, kind: Any, error: Any, _: Any) -> bool:
            assert kind is not None, f"{self.kind} was not raised"
            return issubclass(kind, self.kind) and bool(re.search(self.match, str(error)))

    class Near:
        def __init__(self, value: float, rel: float = 1e-6, abs: float = 1e-12) -> None:  # noqa: A002
            self.value, self.by = value, max(abs, rel * builtin_abs(value))

        def __eq__(self, other: object) -> bool:
            return builtin_abs(other - self.value) <= self.by  # type: ignore[operator]

        __hash__ = None  # type: ignore[assignment]

    builtin_abs = abs

    def parametrize(name: str, values: list[Any]) -> Callable[[Any], Any]:
        def mark(test: Any) -> Any:
            test.cases = [{name: value} for value in values]
            return test

        return mark

    def importorskip(name: str, reason: str = "") -> None:
        try:
            importlib.import_module(name)
        except ImportError:
            raise _SkippedError(reason) from None

    module = ModuleType("pytest")
    module.raises = Raises  # type: ignore[attr-defined]
    module.approx = Near  # type: ignore[attr-defined]
    module.importorskip = importorskip  # type: ignore[attr-defined]
    module.mark = SimpleNamespace(  # type: ignore[attr-defined]
        gpu=None, skipif=lambda *_, **__: None, parametrize=parametrize
    )
    return module


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="CIFAR-10 as a zip or tar of class folders")
    parser.add_argument("--out", type=Path, default=Path("gpu_check"), help="folder (gpu_check)")
    parser.add_argument("--tests-into", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.tests_into is not None:
        arguments.tests_into.write_text(json.dumps(called_tests()))
        return 0
    import torch

    version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if version < OLDEST_TORCH:
        print(f"torch {torch.__version__}: mbnas needs 2.11 or newer", file=sys.stderr)
        return 1
    if not torch.cuda.is_available():
        print("no CUDA device here: nothing to check", file=sys.stderr)
        return 1
    start = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    results["tests"] = gpu_tests(LIMIT_SECONDS / 2)
    print(json.dumps(results["tests"], indent=1), flush=True)
    keep(arguments.out, results)  # what comes next may run out of time
    command = [sys.executable, "scripts/bench_training.py", "--device", "cuda"]
    command += ["--out", str(arguments.out.resolve())]
    command += [] if arguments.data is None else ["--data", str(arguments.data.resolve())]
    left = LIMIT_SECONDS - (time.monotonic() - start)
    try:
        bench = subprocess.run(command, cwd=ROOT, check=False, timeout=left)
    except subprocess.TimeoutExpired:
        results["bench"] = "ran out of time"
    else:
        results["bench"] = "done" if bench.returncode == 0 else f"exit code {bench.returncode}"
    results["seconds"] = round(time.monotonic() - start)
    keep(arguments.out, results)
    tests = results["tests"]
    good = tests["passed"] and not tests["failed"] and results["bench"] == "done"
    return 0 if good else 1


def keep(folder: Path, results: dict[str, Any]) -> None:
    (folder / "gpu_check.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
