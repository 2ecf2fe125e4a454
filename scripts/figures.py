"""The figures that mbnas is judged by, from what the measuring scripts left in studies/published.

    python scripts/figures.py            writes docs/figures.md and the README's table
    python scripts/figures.py --check    says whether they are as the results say

No figure is typed by hand: a row is made from the values in a result's file, and from nothing else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from figure_rows import (
    Row,
    bundles,
    choices,
    confirmed,
    dashboard,
    latency,
    sampler,
    stopping,
    survival,
    training,
    training_on_gpu,
)

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "studies" / "published"
PAGE = ROOT / "docs" / "figures.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


@dataclass(frozen=True, slots=True)
class Area:
    """The figures of one script.

    Attributes:
        title: Of what.
        folder: Where its results lie, under studies/published.
        page: That shows them all.
        command: Makes them again.
        rows: From the folder to the machine in words and the rows.
    """

    title: str
    folder: str
    page: str
    command: str
    rows: Callable[[Path], tuple[str, list[Row]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    found = [(area, *area.rows(PUBLISHED / area.folder)) for area in areas() if is_there(area)]
    wanted = {PAGE: page(found), README: in_readme(README.read_text(), found)}
    if arguments.check:
        stale = [path for path, text in wanted.items() if path.read_text() != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)}: not as the results say; run scripts/figures.py")
        return len(stale)
    for path, text in wanted.items():
        path.write_text(text)
    return 0


def is_there(area: Area) -> bool:
    return any((PUBLISHED / area.folder).glob("*.json"))


def page(found: list[tuple[Area, str, list[Row]]]) -> str:
    """All figures, area by area."""
    lines = [
        "# Figures",
        "",
        "What was measured, on which machine, and what stands beside it. Under each heading stands"
        " what makes its results again; `scripts/bench` does so for all but what each choice"
        " brings, given CIFAR-10 (`--data`), the table of NAS-Bench-Macro (`--table`) and a GPU."
        " `scripts/figures.py` makes this page from them; no figure on it is typed by hand. The"
        " machines were shared and noisy, so comparisons were made in one run, in turns.",
    ]
    for area, machine, rows in found:
        lines += [
            "",
            f"## {area.title}",
            "",
            f"`{area.command}`, on {machine}. "
            f"[All of it](../studies/published/{area.folder}/{area.page}).",
            "",
            "| what | figure | beside it |",
            "|---|---|---|",
            *(f"| {row.what} | {row.figure} | {row.beside} |" for row in rows),
        ]
    return "\n".join([*lines, ""])


def in_readme(readme: str, found: list[tuple[Area, str, list[Row]]]) -> str:
    """The README with the headlines between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = ["| what | mbnas | beside it |", "|---|---|---|"]
    for area, _, rows in found:
        lines += [
            f"| [{row.what}](studies/published/{area.folder}/{area.page})"
            f" | {row.figure} | {row.beside} |"
            for row in rows
            if row.headline
        ]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def areas() -> list[Area]:
    cifar = "scripts/study_cifar10 folder:cifar10.zip"
    return [
        Area("A front beside published networks", "cifar10/short", "README.md", cifar, confirmed),
        Area("Latency", "latency", "table.md", "scripts/bench_latency.py", latency),
        Area("Training", "training", "table.md", "scripts/bench_training.py", training),
        Area(
            "Training on a GPU",
            "training/gpu",
            "table.md",
            "scripts/gpu_check --data cifar10.zip",
            training_on_gpu,
        ),
        Area("Choosing networks", "sampler", "README.md", "mbnas simulate", sampler),
        Area("Stopping", "stopping", "README.md", "scripts/bench_stopping.py", stopping),
        Area("Survival", "survival", "survival.md", "scripts/chaos, scripts/fuzz", survival),
        Area("Dashboard", "dashboard", "README.md", "scripts/bench_dashboard.py", dashboard),
        Area("Bundles", "bundles", "README.md", "scripts/check_bundles.py", bundles),
        Area(
            "What each choice brings",
            "choices",
            "README.md",
            "scripts/study_choices folder:cifar10.zip",
            choices,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
