"""Exports many networks of a study and holds every bundle's files against each other.

Each bundle is run in environments of its own that lack mbnas: one with onnxruntime, numpy and
pillow alone, one with torch alone. With --int8 it is also written in 8 bits.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import mbnas
from mbnas.bundle.checks import onnx_logits, torch_logits
from mbnas.bundle.export import network_of
from mbnas.bundle.images import StudyImages, batches, spread
from mbnas.errors import ExportError
from mbnas.measure.host import this_host
from mbnas.search import Study, Trial
from mbnas.training.images import ImageTensors

IMAGES = 1000
PICTURES = 40
TIE = 1e-4
MOST = 1e-4
_MODEL = """\
import sys, importlib.util
sys.path.insert(0, sys.argv[1])
import model, torch
assert importlib.util.find_spec("mbnas") is None
network = model.load()
with torch.inference_mode():
    print(*network(torch.load(sys.argv[2])).argmax(1).tolist())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("out", type=Path, help="a JSON file; its README.md has the table")
    parser.add_argument("--data", help="the study's images, if they have moved")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--max-drop", type=float, default=0.01)
    arguments = parser.parse_args()
    study = mbnas.open_study(arguments.study)
    images = StudyImages(study, arguments.data)
    trials = chosen(study, arguments.networks)
    rows = []
    with tempfile.TemporaryDirectory(prefix="mbnas-bundles-") as root:
        lean = environment(Path(root) / "lean", ("onnxruntime", "numpy", "pillow"))
        torch_only = environment(Path(root) / "torch", ("torch",))
        for trial in trials:
            folder = Path(root) / f"trial-{trial.number}"
            row = looked_at(study, trial, images, folder, arguments, lean, torch_only)
            print(json.dumps(row), flush=True)
            rows.append(row)
    host = this_host(study.record.threads)
    found = {
        "cpu": host.cpu,
        "onnxruntime": host.onnxruntime,
        "images": IMAGES,
        "pictures": PICTURES,
        "bundles": rows,
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
    arguments.out.with_name("README.md").write_text(table(found))


def chosen(study: Study, most: int) -> list[Trial]:
    """The front, and others whose weights are kept: by the search, or by confirming."""
    front = list(study.front)
    numbers = {trial.number for trial in front}
    confirmation = mbnas.open_confirmation(study)
    networks = [] if confirmation is None else confirmation.networks
    confirmed = {one.trial for one in networks}
    others = [
        trial
        for trial in study.trials
        if trial.status == "trained"
        and trial.number not in numbers
        and (trial.number in confirmed or study.folder.has_weights(trial))
    ]
    return [*front, *others][:most]


def environment(folder: Path, packages: Sequence[str]) -> Path:
    """A fresh one with these packages; its Python."""
    print(f"installing {', '.join(packages)}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return python


def looked_at(
    study: Study,
    trial: Trial,
    images: StudyImages,
    folder: Path,
    arguments: argparse.Namespace,
    lean: Path,
    torch_only: Path,
) -> dict[str, Any]:
    """One bundle's figures."""
    left_out = None
    try:
        mbnas.export(
            study, folder, trial, data=arguments.data, int8=True, max_drop=arguments.max_drop
        )
    except ExportError as error:
        if "model.int8.onnx is left out" not in str(error):
            raise
        left_out = str(error).partition("is left out, ")[2].partition("; the bundle")[0]
    network = network_of(study, trial)
    resolution = trial.architecture.resolution
    part = images.part("validation")
    expected = torch_logits(network, batches(part, resolution, IMAGES))
    computed = onnx_logits((folder / "model.onnx").read_bytes(), batches(part, resolution, IMAGES))
    scale = max(1.0, float(np.abs(expected).max()))
    ordered = np.sort(expected, axis=1)
    is_tie = ordered[:, -1] - ordered[:, -2] <= TIE * scale
    is_other = expected.argmax(1) != computed.argmax(1)
    eight = folder / "model.int8.onnx"
    return {
        "trial": trial.number,
        "difference": float(np.abs(expected - computed).max()) / scale,
        "images": len(expected),
        "other_labels": int((is_other & ~is_tie).sum()),
        "infer_py": inferred(folder, part, computed, study, lean),
        "model_py": modelled(folder, part, resolution, expected, torch_only),
        "int8": int8_figures(eight, part, resolution) if eight.exists() else None,
        "int8_left_out": left_out,
    }


def int8_figures(file: Path, part: ImageTensors, resolution: int) -> dict[str, Any]:
    """Accuracy again, and what the card says."""
    labels = part.labels.numpy()
    accuracy, whole = (
        float((onnx_logits(one.read_bytes(), batches(part, resolution)).argmax(1) == labels).mean())
        for one in (file, file.with_name("model.onnx"))
    )
    card = (file.parent / "CARD.md").read_text()
    said = card.partition("| in 8 bits | ")[2].partition(" |")[0]
    return {"accuracy": accuracy, "drop": whole - accuracy, "said": said}


def inferred(
    folder: Path, part: ImageTensors, computed: Any, study: Study, python: Path
) -> dict[str, int]:
    """Pictures on which infer.py says the file's label, without mbnas and torch."""
    some = spread(len(computed), PICTURES)
    whole = spread(len(part), IMAGES)[some]
    pixels = part.at(study.space.resolutions[-1])[whole].numpy()
    files = []
    for number, image in enumerate(pixels):
        files.append(folder.parent / f"{number}.png")
        Image.fromarray(image).save(files[-1])
    done = subprocess.run(
        [python, "-I", folder / "infer.py", *files], capture_output=True, text=True, check=True
    )
    said = [line.split("\t")[1] for line in done.stdout.splitlines()]
    classes = study.record.data.classes
    return {
        "pictures": len(files),
        "equal": sum(
            label == classes[at] for label, at in zip(said, computed[some].argmax(1), strict=True)
        ),
    }


def modelled(
    folder: Path, part: ImageTensors, resolution: int, expected: Any, python: Path
) -> dict[str, int]:
    """Images on which model.py says the network's label, without mbnas."""

    file = folder.parent / "images.pt"
    torch.save(torch.from_numpy(np.concatenate(list(batches(part, resolution, IMAGES)))), file)
    done = subprocess.run(
        [python, "-I", "-W", "ignore", "-c", _MODEL, folder, file],
        capture_output=True,
        text=True,
        check=True,
    )
    said = np.array([int(word) for word in done.stdout.split()])
    return {"images": len(said), "equal": int((said == expected.argmax(1)).sum())}


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown, and what was to be reached."""
    rows = found["bundles"]
    worst = max(row["difference"] for row in rows)
    others = sum(row["other_labels"] for row in rows)
    infer = [row["infer_py"] for row in rows]
    model = [row["model_py"] for row in rows]
    eights = [row["int8"] for row in rows if row["int8"]]
    drop = max((one["drop"] for one in eights), default=0.0)
    wrong = sum(f"{abs(one['drop']):.4f}" not in one["said"] for one in eights)
    lines = [
        "# Bundles held against their networks",
        "",
        f"By `scripts/check_bundles.py`, on {found['cpu']}, ONNX Runtime {found['onnxruntime']}.",
        "",
        "| check | to reach | seen |",
        "|---|---|---|",
        f"| ONNX file against PyTorch, {len(rows)} bundles, {rows[0]['images']} images each |"
        f" at most {MOST:g}, same labels, ties aside | {worst:.1e}, {others} other labels |",
        f"| infer.py without mbnas and torch, {infer[0]['pictures']} pictures each | same labels |"
        f" {sum(one['equal'] for one in infer)} of {sum(one['pictures'] for one in infer)} |",
        f"| model.py with torch alone, {model[0]['images']} images each | same labels |"
        f" {sum(one['equal'] for one in model)} of {sum(one['images'] for one in model)} |",
        f"| in 8 bits: {len(eights)} written, {len(rows) - len(eights)} left out |"
        f" accuracy within the stated drop | largest drop {drop:.4f}; {wrong} differ from what"
        " their card says |",
        "",
        "| trial | difference | in 8 bits |",
        "|---|---|---|",
        *(
            f"| {row['trial']} | {row['difference']:.1e} |"
            f" {row['int8']['said'] if row['int8'] else 'left out, ' + str(row['int8_left_out'])} |"
            for row in rows
        ),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
