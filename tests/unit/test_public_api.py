"""What `import mbnas` offers, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mbnas
from mbnas.cli import VERBS

HEAVY = ("torch", "optuna", "onnx", "onnxruntime", "plotly", "pandas", "sklearn")


def test_every_name_is_there() -> None:
    assert mbnas.__all__ == sorted(mbnas.__all__)
    for name in mbnas.__all__:
        assert getattr(mbnas, name) is not None
    assert set(mbnas.__all__) <= set(dir(mbnas))


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mbnas.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "statement",
    [
        "import mbnas",
        "from mbnas.cli import main; main(['space', 'check', 'digits_tiny'])",
        "from mbnas.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        *(
            f"from mbnas.cli import main\ntry: main(['{verb}', '--help'])\nexcept SystemExit: pass"
            for verb in VERBS
        ),
    ],
)
def test_what_needs_no_torch_loads_none(statement: str) -> None:
    program = f"{statement}\nimport sys\nprint('LOADED', [m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "LOADED []"


def test_no_verb_loads_what_it_may_not_need() -> None:
    """Each takes a second, for every command and every process that a search starts."""
    rare = ("sklearn", "torchvision", "scipy.stats")
    program = (
        "import importlib, sys"
        f"\nfor verb in {tuple(VERBS)}: importlib.import_module('mbnas.cli.' + verb)"
        f"\nprint('LOADED', [m for m in {rare} if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "LOADED []"
