"""CARD.md: what a network is, how good it is, and how that was found out."""

from __future__ import annotations

from mbnas.search import Study, Trial


def card(study: Study, trial: Trial, accuracy: float, difference: float) -> str:
    """The card of an exported network, Markdown."""
    record, costs = study.record, trial.costs
    recipe, data = record.recipe, record.data
    latency = trial.latency
    latency_row = "not measured"
    if latency is not None:
        latency_row = (
            f"{latency.latency_ms:.3f} ms (95 % interval {latency.low_ms:.3f} to"
            f" {latency.high_ms:.3f}; p50 {latency.p50_ms:.3f}, p90 {latency.p90_ms:.3f};"
            f" {latency.samples} runs{', noisy' if latency.noisy else ''})"
        )
    where = (
        f"{record.host.cpu}, {record.threads} thread(s), batch 1,"
        f" ONNX Runtime {record.host.onnxruntime}"
    )
    sizes = ", ".join(f"{name} {size:,}" for name, size in data.sizes.items())
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    return f"""# {record.name}, trial {trial.number}

An image classifier for {len(data.classes)} classes, found by mbnas: network
`{trial.architecture.id}`,

```
{trial.architecture.describe()}
```

| | |
|---|---|
| validation accuracy | {accuracy:.4f} (this file, on {data.sizes["validation"]:,} images) |
| test accuracy | test part not opened |
| latency | {latency_row} |
| measured on | {where} |
| parameters | {costs.params:,} |
| multiply-accumulates | {costs.macs:,} |
| resolution | {costs.resolution} pixels |
| ONNX against PyTorch | largest difference {difference:.1e} of the largest output |

The network was chosen by its validation accuracy among {len(study.trials)} trials, so this figure
flatters it a little.

- Data: `{data.spec}` ({sizes})
- Classes: {", ".join(data.classes[:20])}{", ..." if len(data.classes) > 20 else ""}
- Training: {recipe.epochs} epochs, a brief training meant for ranking networks; trained longer, it
  should do better
- Versions: {versions}

`model.onnx` takes normalised images (N, 3, {costs.resolution}, {costs.resolution}) and gives
logits; its metadata hold `labels`, `preprocessing`, `provenance` and `architecture` as JSON.
`weights.safetensors` is the state dict of
`mbnas.build(mbnas.Architecture.from_json(text), classes={len(data.classes)})`, where `text` is
what `architecture.json` holds.
"""
