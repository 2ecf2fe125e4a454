"""In which form a network is trained: its layers change, and nothing that is learned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import some_architectures, tiny_space
from torch import nn
from torch.nn import functional as F

from mbnas.model import build_seeded
from mbnas.training.form import InFloat32, quickest_form

CPU = torch.device("cpu")
(ARCHITECTURE,) = some_architectures(tiny_space(defaults={"expansion": 2, "se_ratio": 0.25}), 1)


def network() -> nn.Module:
    return build_seeded(ARCHITECTURE, 3, seed=0).to(memory_format=torch.channels_last)


def images() -> torch.Tensor:
    size = ARCHITECTURE.resolution
    drawn = torch.randn(6, 3, size, size, generator=torch.Generator().manual_seed(0))
    return drawn.to(memory_format=torch.channels_last)


def strided(of: nn.Module) -> list[nn.Module]:
    return [m for m in of.modules() if isinstance(m, nn.Conv2d) and m.groups > 1 < m.stride[0]]


def test_in_float32_a_cpu_takes_a_network_as_it_is() -> None:
    plain = network()
    assert quickest_form(plain, CPU, "float32") is plain


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_networks_of_other_makes_compute_themselves(device: str) -> None:
    foreign = nn.Conv2d(3, 8, 3, stride=2, groups=1)
    assert quickest_form(foreign, torch.device(device), "bfloat16") is foreign


def test_in_bfloat16_strided_depthwise_convolutions_compute_in_float32() -> None:
    plain = network()
    form: Any = quickest_form(plain, CPU, "bfloat16")
    apart = [layer.layer for layer, _, _ in form._steps if isinstance(layer, InFloat32)]
    assert apart == strided(plain)
    assert len(apart) == 2
    kinds: list[tuple[torch.dtype, torch.dtype]] = []
    for layer in apart:
        layer.register_forward_hook(lambda _, x, y: kinds.append((x[0].dtype, y.dtype)))
    with torch.autocast("cpu", torch.bfloat16):
        form(images())
    assert kinds == [(torch.float32, torch.float32)] * 2


def test_the_form_has_the_networks_weights_and_learns_as_it_does() -> None:
    plain, other = network(), network()
    form: Any = quickest_form(other, CPU, "bfloat16")
    assert list(other.state_dict()) == list(plain.state_dict())
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    for of, compute in ((plain, plain), (other, form)):
        with torch.autocast("cpu", torch.bfloat16):
            F.cross_entropy(compute(images()), labels).backward()
        assert all(value.grad is not None for value in of.parameters())
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert float((one.grad - two.grad).norm()) <= 0.2 * float(one.grad.norm()) + 1e-3


def test_evaluated_in_float32_nothing_differs() -> None:
    plain = network().eval()
    form = quickest_form(plain, CPU, "bfloat16")
    with torch.inference_mode():
        assert form(images()).equal(plain(images()))
