"""The list of public names, from their docstrings.

python scripts/api_page.py            writes docs/api.md
python scripts/api_page.py --check    says whether it is as the docstrings say
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from pathlib import Path

import mbnas

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"
GROUPS = {
    "Spaces and networks": (
        "load_space make_space SearchSpace Architecture Stem Stage Fusion Head reference costs"
        " build"
    ),
    "Images": "load_data Dataset",
    "Searching": "Search progress maximize minimize Limit Recipe load_recipe TorchTrainer",
    "Studies": (
        "open_study Study Trial hypervolume knee pause_search resume_search stop_search copy_study"
        " prune_study Freed write_report"
    ),
    "Latency": (
        "OrtLatencyMeter Latency to_onnx open_network calibrate find_calibration load_calibration"
        " Calibration LatencyPredictor"
    ),
    "Does it hold?": (
        "audit AuditPlan Audit write_audit_report baselines open_baselines Baselines confirm"
        " open_confirmation Confirmation retarget Retarget write_retarget_report"
    ),
    "Taking it home": "pick export Bundle",
    "Errors": "MbnasError SpaceError DataError BuildError MeasureError ExportError StudyError",
    "What may be swapped": (
        "search.Stopping search.Stop search.FrontReach search.Observer training.trainer.Trainer"
        " measure.latency.LatencyMeter sampling.known_cost.KnownCostSampler sampling.known.Known"
        " sampling.local_search.LocalSearchSampler"
    ),
    "Fakes, for tests": "testing.FakeTrainer testing.FakeLatencyMeter testing.FakeTester",
    "The dashboard": "dashboard.serve_dashboard dashboard.make_app",
}
"""The public names, below `mbnas`; what is not among them may change without a word."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    at_top = {name for names in GROUPS.values() for name in names.split() if "." not in name}
    for name in at_top ^ set(mbnas.__all__):
        print(f"{name}: must be both in mbnas.__all__ and in scripts/api_page.py")
    if at_top != set(mbnas.__all__):
        return 1
    if not arguments.check:
        PAGE.write_text(page())
    elif PAGE.read_text() != page():
        print("docs/api.md: not as the docstrings say; run scripts/api_page.py")
        return 1
    return 0


def page() -> str:
    """The list as Markdown; the site adds each docstring in full."""
    lines = [
        "# From Python",
        "",
        "What the commands do, Python does too: each verb is a function or a method of these. The"
        " names on this page are public and kept; what is not on it may change. `import mbnas`"
        " loads no torch: names are loaded when they are first used.",
    ]
    for group, names in GROUPS.items():
        lines += ["", f"## {group}", "", "| name | |", "|---|---|"]
        lines += [f"| `mbnas.{name}` | {first_line(name)} |" for name in names.split()]
    return "\n".join([*lines, ""])


def first_line(name: str) -> str:
    """Of its docstring, fit for a table."""
    module, _, attribute = f"mbnas.{name}".rpartition(".")
    said = inspect.getdoc(getattr(importlib.import_module(module), attribute)) or ""
    return " ".join(said.partition("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
