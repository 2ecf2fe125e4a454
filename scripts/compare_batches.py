"""How early small batches put networks in order, and how early large ones do.

    .venv/bin/python scripts/compare_batches.py studies/audits/cifar studies/audits/cifar64

Of audits of one space, one data set and one seed: the order after each short schedule of each of
them, held against the order after the first one's full training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mbnas.analysis.agreement import agreement

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "studies" / "published" / "audits" / "batches.md"


def accuracies(folder: Path) -> dict[str, float]:
    """Of the first seed's trainings that lie there, by network."""
    trainings = (json.loads(file.read_text()) for file in folder.glob("*-0.json"))
    return {one["id"]: one["curve"][-1]["accuracy"] for one in trainings if one["curve"]}


def schedules(audit: Path) -> Iterator[tuple[int, dict[str, float]]]:
    """Lengths in epochs, from short to long, and what they came to."""
    for folder in sorted((audit / "trainings").iterdir()):
        yield int(folder.name), accuracies(folder)


def settings(audit: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((audit / "audit.json").read_text())
    return read


def rows(audits: list[Path]) -> Iterator[str]:
    *_, (epochs, final) = schedules(audits[0])
    for audit in audits:
        size = settings(audit)["recipe"]["batch_size"]
        for length, found in schedules(audit):
            both = sorted(found.keys() & final.keys())
            if audit == audits[0] and length == epochs:
                continue
            of = agreement([found[one] for one in both], [final[one] for one in both])
            mean = sum(found[one] for one in both) / len(both)
            yield (
                f"| {size} | {length} | {len(both)} | {mean:.1%} |"
                f" {of.tau:.2f} ({of.low:.2f} to {of.high:.2f}) |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audits", type=Path, nargs="+", help="folders, the one of the order first")
    arguments = parser.parse_args()
    read = [settings(audit) for audit in arguments.audits]
    for key in ("space", "digest", "seed"):
        if len({one[key] for one in read}) > 1:
            parser.error(f"{key}: these audits differ in it")
    epochs = read[0]["recipe"]["epochs"]
    lines = [
        "# Batches and brief trainings",
        "",
        f"Accuracies after short schedules, and Kendall's τ of their order with that after the"
        f" {epochs} epochs of the first audit. Made by `scripts/compare_batches.py`.",
        "",
        "| batch | epochs | networks | mean accuracy | τ (95 % interval) |",
        "|---|---|---|---|---|",
        *rows(arguments.audits),
        "",
    ]
    OUT.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
