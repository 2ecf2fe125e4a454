"""What files say of themselves: model.onnx as JSON texts in its metadata, model.py in words."""

from __future__ import annotations

import json

from mbnas.bundle.trained import TrainedNetwork
from mbnas.training.images import Normalisation


def metadata(network: TrainedNetwork, normalisation: Normalisation) -> dict[str, str]:
    """Labels, preprocessing, provenance and architecture; infer.py reads the first two."""
    record = network.study.record
    preprocessing = {
        "colour": "RGB; EXIF orientation applied, transparency on white",
        "layout": "NCHW",
        "resize": "shorter side to decoded_resolution, centre crop, then to resolution",
        "decoded_resolution": network.decoded_resolution,
        "resolution": network.architecture.resolution,
        "interpolation": "bilinear, antialiased, rounded to 8 bits after each resize",
        "scale": 1 / 255,
        "mean": normalisation.mean,
        "std": normalisation.std,
    }
    provenance = {
        "study": record.name,
        "trial": network.trial.number,
        "data": record.data.spec,
        **{f"{part}_accuracy": held.exported for part, held in network.accuracies.items()},
        "created": record.created.isoformat(),
        "versions": record.versions,
    }
    texts = {
        "labels": network.classes,
        "preprocessing": preprocessing,
        "provenance": provenance,
        "architecture": network.architecture.to_dict(),
    }
    return {key: json.dumps(value) for key, value in texts.items()}


def about(network: TrainedNetwork, normalisation: Normalisation) -> str:
    """What model.py says of itself."""
    record = network.study.record
    mean, std = (
        ", ".join(f"{value:.6g}" for value in values)
        for values in (normalisation.mean, normalisation.std)
    )
    version = record.versions.get("mbnas", "")
    return f"""\
Network {network.architecture.id}, {network.origin}, {record.created.date()}.

{network.architecture.describe()}

Found by mbnas {version}. Needs torch alone; `load()` reads weights.safetensors.
Takes RGB images, normalised by (pixels / 255 - mean) / std:
mean {mean}; std {std}.
"""
