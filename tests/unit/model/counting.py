"""Counts a module's costs by running it, knowing nothing of graphs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from mbnas.model import Network


@contextmanager
def undrawn_weights() -> Iterator[None]:
    """Modules built inside hold any values: drawing them takes longer than counting them."""
    with ExitStack() as stack:
        for kind in (Network, nn.Conv2d, nn.Linear):
            stack.enter_context(mock.patch.object(kind, "reset_parameters"))
        yield


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_accumulates(module: nn.Module, images: Tensor) -> int:
    """Of convolutions and linear layers, for one image (N, C, H, W) of the batch."""
    counted: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        # Each value of the output is a sum over one row of the weight.
        counted.append(output[0].numel() * layer.weight[0].numel())

    hooks = [
        layer.register_forward_hook(count)
        for layer in module.modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        with torch.no_grad():
            module(images)
    finally:
        for hook in hooks:
            hook.remove()
    assert len(counted) == len(hooks)
    return sum(counted)
