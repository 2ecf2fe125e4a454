"""Networks of torchvision: their modules, costs and ONNX files."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mbnas.errors import MeasureError
from mbnas.measure.onnx_file import INPUT, OPSET, OUTPUT
from mbnas.model import ForeignNetwork
from mbnas.network import Costs
from mbnas.network.checks import nearest

_WITH_AUXILIARY = ("googlenet", "inception_v3")
_TAKES_IMAGE_SIZE = ("vit_",)


def torchvision_network(name: str, resolution: int) -> ForeignNetwork:
    """A torchvision classifier, with fresh weights wherever it is made.

    Raises:
        MeasureError: no such network, or none for images of that resolution.
    """
    from torchvision import models  # which takes a second to import

    known = models.list_models(models)
    if name not in known:
        raise MeasureError(f"torchvision:{name}: no such network{nearest(name, known)}")
    make = partial(_module, name, resolution)
    try:
        macs = _macs(make(10), resolution)
    except (RuntimeError, ValueError, AssertionError) as error:  # torch's words for such a size
        reason = " ".join(str(error).split())
        raise MeasureError(
            f"torchvision:{name}: cannot take images of {resolution} pixels ({reason})"
        ) from None
    return ForeignNetwork(name, resolution, macs, make)


def foreign_costs(network: ForeignNetwork, classes: int) -> Costs:
    """Costs of a foreign network; its file holds about its parameters."""
    module = network.make(classes)
    params = sum(parameter.numel() for parameter in module.parameters())
    macs = _macs(module, network.resolution)
    return Costs(params, macs, 4 * params, network.resolution)


def foreign_file(
    network: ForeignNetwork, classes: int, weights: Mapping[str, NDArray[Any]] | None = None
) -> bytes:
    """Its ONNX file by torch's own exporter: normalised images (N, 3, R, R) in, logits out.

    Args:
        network: The network.
        classes: Number of logits.
        weights: State dict as arrays; without, fresh ones.
    """
    module = network.make(classes).eval()
    if weights is not None:
        load_weights(module, weights)
    with tempfile.TemporaryDirectory(prefix="mbnas-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no further package is the older
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, network.resolution, network.resolution),),
            path := Path(folder) / "network.onnx",
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
        )
        return path.read_bytes()


def load_weights(module: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Gives a module its weights; batch norms' counters are not kept."""
    state = {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}
    module.load_state_dict(state, strict=False)


def _module(name: str, resolution: int, classes: int) -> nn.Module:
    from torchvision import models

    options: dict[str, Any] = {}
    if name in _WITH_AUXILIARY:
        options = {"aux_logits": False, "init_weights": False}
    if name.startswith(_TAKES_IMAGE_SIZE):
        options["image_size"] = resolution
    module: nn.Module = models.get_model(name, num_classes=classes, **options)
    return module


@torch.inference_mode()
def _macs(module: nn.Module, resolution: int) -> int:
    """Multiply-accumulates for one image, as torch counts them."""
    counter = FlopCounterMode(display=False)
    with counter:
        module.eval()(torch.zeros(1, 3, resolution, resolution))
    return int(counter.get_total_flops()) // 2
