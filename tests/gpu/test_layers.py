"""What Triton compiles, against torch's layers. Needs torch, numpy and pytest alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers import some_architectures
from torch import Tensor, nn
from torch.nn import functional as F

from mbnas.model import Network, build_seeded
from mbnas.space import read_space
from mbnas.training.gpu.form import GpuForm, why_not

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SPACE = """
schema = 1
name = "gpu"
resolution = 16
stem = { width = 16, stride = 1 }

[defaults]
block = ["mbconv", "fused_mbconv"]
expansion = [2, 4]
kernel = [3, 5]
se_ratio = [0.0, 0.25]

[[stage]]
width = 24
stride = 2
depth = 2

[[stage]]
width = [40, 48]
stride = 2
depth = 2
fusion = ["concat", "attention"]
fusion_from = 2
"""


def maps(*shape: int, kind: torch.dtype) -> Tensor:
    drawn = 2 * torch.randn(*shape, device="cuda") + 5
    return drawn.to(kind).to(memory_format=torch.channels_last)


def values_and_gradients(
    layer: Callable[[Tensor], Tensor], x: Tensor, *parameters: Tensor
) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    along = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).to(x)
    return [y.detach(), *torch.autograd.grad(y, [x, *parameters], along.to(y.dtype))]


def largest_difference(some: list[Tensor], others: list[Tensor]) -> float:
    return max(
        float((one.double() - other.double()).norm() / other.double().norm())
        for one, other in zip(some, others, strict=True)
    )


def test_triton_works_here() -> None:
    assert why_not(torch.device("cuda")) is None


@pytest.mark.parametrize("activation", ["none", "relu", "relu6", "hardswish", "silu"])
def test_a_norm_with_its_activation_is_torchs(activation: str) -> None:
    from mbnas.training.gpu.norm import ACTIVATIONS, NormActivation

    for shape in ((64, 144, 12, 12), (256, 24, 32, 32), (3, 480, 4, 4)):
        plain = nn.BatchNorm2d(shape[1]).cuda()
        layer = NormActivation(plain, activation)
        x = maps(*shape, kind=torch.bfloat16)
        found = values_and_gradients(layer, x, plain.weight, plain.bias)
        averages = plain.running_mean.clone(), plain.running_var.clone()  # type: ignore[union-attr]
        plain.reset_running_stats()
        expected = values_and_gradients(
            lambda x, plain=plain: ACTIVATIONS[activation](plain(x.float())),  # type: ignore[misc]
            x,
            plain.weight,
            plain.bias,
        )
        assert largest_difference(found, expected) < 1e-2
        after = [plain.running_mean, plain.running_var]
        assert largest_difference(list(averages), after) < 1e-4  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_depthwise_convolution_is_torchs(kernel: int) -> None:
    from mbnas.training.gpu.depthwise import Depthwise

    for stride, shape in ((1, (32, 96, 16, 16)), (2, (16, 40, 13, 12))):
        width = shape[1]
        convolution = nn.Conv2d(
            width, width, kernel, stride, padding=kernel // 2, groups=width, bias=False
        ).cuda()
        layer, x = Depthwise(convolution), maps(*shape, kind=torch.float32)
        found = values_and_gradients(layer, x, convolution.weight)
        convolution.double()
        expected = values_and_gradients(convolution, x.double(), convolution.weight)
        assert largest_difference(found, expected) < 1e-4


def test_sums_are_the_same_every_time() -> None:
    from mbnas.training.gpu.norm import NormActivation

    layer = NormActivation(nn.BatchNorm2d(96).cuda(), "relu6")
    x = maps(256, 96, 32, 32, kind=torch.bfloat16)
    parameters = layer.norm.weight, layer.norm.bias
    first = values_and_gradients(layer, x, *parameters)
    for _ in range(50):
        again = values_and_gradients(layer, x, *parameters)
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("half", [False, True])
def test_a_network_and_its_form_learn_the_same(half: bool) -> None:
    for architecture in some_architectures(read_space(SPACE), 4):
        losses: list[list[float]] = []
        images = maps(64, 3, 16, 16, kind=torch.float32)
        labels = torch.randint(10, (64,), device="cuda")
        for own in (False, True):
            network = build_seeded(architecture, 10, 0).cuda()
            network.to(memory_format=torch.channels_last)
            assert isinstance(network, Network)
            compute = GpuForm(network) if own else network
            optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
            losses.append([])
            for _ in range(4):
                with torch.autocast("cuda", torch.bfloat16, enabled=half):
                    loss = F.cross_entropy(compute(images), labels)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                losses[-1].append(float(loss.detach()))
        for one, other in zip(*losses, strict=True):
            assert other == pytest.approx(one, rel=0.03)
