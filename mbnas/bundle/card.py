"""CARD.md: what a network is, how good it is, and how that was found out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mbnas.bundle.eight_bits import Timed, overlap
from mbnas.bundle.trained import TrainedNetwork
from mbnas.measure.host import this_host
from mbnas.measure.latency import Latency
from mbnas.network import costs

MOST_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What was measured on the files themselves.

    Attributes:
        accuracy: Validation accuracy of model.onnx.
        difference: Largest difference from PyTorch on real images, as a share of the largest
            output where that is above 1.
        compared: Images on which that was looked at.
        timed: Timed now, in 8 bits too where that was asked for.
        latency_note: What to say where that is not what was recorded.
        confusions: The most frequent mistakes, a few words each.
    """

    accuracy: float
    difference: float
    compared: int
    timed: Timed
    latency_note: str | None
    confusions: Sequence[str]


def card(network: TrainedNetwork, found: Findings) -> str:
    """The card of an exported network, Markdown."""
    record, data = network.study.record, network.study.record.data
    what = costs(network.architecture.lower(len(network.classes)))
    sizes = ", ".join(f"{name} {size:,}" for name, size in data.sizes.items())
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    names = ", ".join(data.classes[:MOST_CLASSES])
    now = this_host(record.threads)
    rows = [
        *_accuracy_rows(network, found),
        ("latency, recorded", _latency_words(network.latency)),
        ("recorded on", _recorded_on(network)),
        ("latency, timed again at export", _latency_words(found.timed.latency)),
        ("timed again on", f"{now.cpu}, ONNX Runtime {now.onnxruntime}"),
        *_int8_rows(found.timed),
        ("parameters", f"{what.params:,}"),
        ("multiply-accumulates", f"{what.macs:,}"),
        ("resolution", f"{what.resolution} pixels"),
        (
            "files against the network",
            f"largest difference {found.difference:.1e} of the largest output, on"
            f" {found.compared:,} validation images",
        ),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    mistakes = "\n".join(f"- {one}" for one in found.confusions) or "- none on these images"
    more = f", ... ({len(data.classes)} in all)" if len(data.classes) > MOST_CLASSES else ""
    return f"""# {record.name}: {network.architecture.id}

An image classifier for {len(data.classes)} classes, found by mbnas: {network.origin}.

```
{network.architecture.describe()}
```

| | |
|---|---|
{table}

{_note(found.latency_note)}## Mistakes

![Confusion matrix](confusion.png)

Of the validation part, most often:

{mistakes}

## Data and training

- Data: `{data.spec}` ({sizes})
- Classes: {names}{more}
- Training: {_recipe_words(network)}
- Versions: {versions}

## What the figures do not say

- {network.remark}
- They hold for images of the kind searched with; nothing is known of others.
- A latency is of one image (batch 1), {record.threads} thread(s), on an undisturbed core of the \
processor named; another processor or another ONNX Runtime gives another one.

## Files

- `model.onnx`: takes normalised images (N, 3, {what.resolution}, {what.resolution}), gives \
logits; its metadata hold `labels`, `preprocessing`, `provenance` and `architecture` as JSON
- `infer.py`: image files in, labels out, with onnxruntime, numpy and pillow alone
- `model.py`: the network in plain PyTorch; `load()` reads `weights.safetensors`
- `architecture.json`: the network as mbnas reads it
{_int8_file(found.timed)}"""


def latency_note(recorded: Latency | None, now: Latency) -> str | None:
    """What to say where two latencies differ by more than their intervals; None else."""
    if recorded is None or overlap(recorded, now):
        return None
    where = "the same host" if now.host == recorded.host else "another host or ONNX Runtime"
    return (
        f"timed again on {where}, {now.latency_ms:.3f} ms instead of {recorded.latency_ms:.3f},"
        " which is more than their intervals say"
    )


def _accuracy_rows(network: TrainedNetwork, found: Findings) -> list[tuple[str, str]]:
    rows = []
    for part, held in network.accuracies.items():
        images = network.study.record.data.sizes[part]
        measured = found.accuracy if part == "validation" else held.exported
        words = f"{measured:.4f} (this file, on {images:,} images)"
        if held.runs > 1:
            spread = "" if held.deviation is None else f" ± {held.deviation:.4f}"
            words += f"; {held.mean:.4f}{spread} over {held.runs} trainings"
        rows.append((f"{part} accuracy", words))
    if "test" not in network.accuracies:
        rows.append(("test accuracy", "test part not opened"))
    return rows


def _latency_words(latency: Latency | None) -> str:
    if latency is None:
        return "not measured"
    return (
        f"{latency.latency_ms:.3f} ms (95 % interval {latency.low_ms:.3f} to"
        f" {latency.high_ms:.3f}; p50 {latency.p50_ms:.3f}, p90 {latency.p90_ms:.3f};"
        f" {latency.samples} runs{', noisy' if latency.noisy else ''})"
    )


def _recorded_on(network: TrainedNetwork) -> str:
    """Where the latency was recorded; a confirmation may have been run on another machine."""
    host, latency = network.study.record.host, network.latency
    if latency is not None and latency.host != host.fingerprint:
        return "another host or ONNX Runtime than the search's"
    return f"{host.cpu}, ONNX Runtime {host.onnxruntime}"


def _int8_rows(timed: Timed) -> list[tuple[str, str]]:
    if timed.left_out is not None:
        return [("in 8 bits", f"left out, {timed.left_out}")]
    return [] if timed.int8 is None else [("in 8 bits", timed.int8.figures)]


def _int8_file(timed: Timed) -> str:
    if timed.int8 is None or timed.left_out is not None:
        return ""
    return (
        "- `model.int8.onnx`: the same in 8 bits;"
        " `python infer.py photo.jpg --model model.int8.onnx`\n"
    )


def _recipe_words(network: TrainedNetwork) -> str:
    recipe = network.recipe
    return f"{recipe.epochs} epoch(s), {recipe.optimizer}, {recipe.decay} decay"


def _note(text: str | None) -> str:
    return "" if text is None else f"Note: {text}.\n\n"
