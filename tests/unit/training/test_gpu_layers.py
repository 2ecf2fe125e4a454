"""A GPU's own layers against torch's; without a GPU, Triton's interpreter runs what it compiles."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import ROOT, stripes, tiny_space
from torch import Tensor, nn
from torch.nn import functional as F

from mbnas.model import build_seeded
from mbnas.network import Architecture
from mbnas.training import steps
from mbnas.training.gpu import form as forms
from mbnas.training.gpu.form import GpuForm, gpu_form
from mbnas.training.gpu.pool import AveragePool
from mbnas.training.gpu.tiles import Tiling, fits
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Training

pytest.importorskip("triton", reason="Triton is not to be had for this machine")
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

from mbnas.training.gpu import depthwise, norm  # noqa: E402
from mbnas.training.gpu.depthwise import Depthwise  # noqa: E402
from mbnas.training.gpu.norm import ACTIVATIONS, NormActivation  # noqa: E402

KINDS = {torch.float32: 1e-5, torch.bfloat16: 1e-2}
Layer = Callable[[Tensor], Tensor]


@pytest.fixture(autouse=True)
def _many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps of a test are cut as large ones are."""
    monkeypatch.setattr(norm, "VALUES", 512)
    monkeypatch.setattr(norm, "PARTS", 2)
    monkeypatch.setattr(depthwise, "_values", lambda _: 512)


def maps(*shape: int, kind: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    """Far from 0, as the maps that sums of squares lose digits with."""
    drawn = 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + 5
    return drawn.to(DEVICE, kind).to(memory_format=torch.channels_last)


def values_and_gradients(layer: Layer, x: Tensor, *parameters: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = layer(x)
    along = torch.randn(y.shape, generator=torch.Generator().manual_seed(9)).to(x.device, y.dtype)
    return [y.detach(), *torch.autograd.grad(y, [x, *parameters], along)]


def assert_near(some: list[Tensor], others: list[Tensor], tolerance: float) -> None:
    for one, other in zip(some, others, strict=True):
        apart = (one.float() - other.float()).norm() / other.float().norm()
        assert float(apart) < tolerance


def norms(channels: int) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d]:
    """Two that are equal."""
    one, other = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
    with torch.no_grad():
        one.weight.uniform_(0.5, 2)
        one.bias.uniform_(-1, 3)
    other.load_state_dict(one.state_dict())
    return one.to(DEVICE), other.to(DEVICE)


@pytest.mark.parametrize("of", ["norm", "depthwise"])
def test_a_gradient_of_a_gradient_is_refused(of: str) -> None:
    conv = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).to(DEVICE)
    layer = NormActivation(norms(8)[0], "silu") if of == "norm" else Depthwise(conv)
    x = maps(2, 8, 4, 4).requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(3, 16, 5, 5), (5, 24, 7, 6), (4, 136, 3, 5)])
def test_a_norm_with_its_activation_is_torchs(
    shape: tuple[int, ...], activation: str, kind: torch.dtype
) -> None:
    plain, own = norms(shape[1])
    layer = NormActivation(own, activation)
    x = maps(*shape, kind=kind)

    def torchs(x: Tensor) -> Tensor:
        return ACTIVATIONS[activation](plain(x.float()))

    expected = values_and_gradients(torchs, x, plain.weight, plain.bias)
    found = values_and_gradients(layer, x, own.weight, own.bias)
    assert found[0].dtype == kind
    assert_near(found, expected, KINDS[kind])
    averages = [own.running_mean, own.running_var], [plain.running_mean, plain.running_var]
    assert_near(*averages, KINDS[kind])  # type: ignore[arg-type]
    own.eval()
    plain.eval()
    torch.testing.assert_close(layer(x.float()), torchs(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.filterwarnings("ignore:invalid value")  # the interpreter computes with numpy
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_lost(activation: str, bad: float) -> None:
    one, _ = norms(8)
    x = maps(2, 8, 3, 3)
    x[1, 3, 1, 1] = bad
    found, *_ = values_and_gradients(NormActivation(one, activation), x, one.weight)
    assert found[:, 3].isnan().all()
    assert found[:, :3].isfinite().all()
    assert one.running_var is not None
    assert not one.running_var[3].isfinite()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("shape", [(2, 16, 6, 5), (1, 72, 7, 8)])
def test_a_depthwise_convolution_is_torchs(
    shape: tuple[int, ...], kernel: int, stride: int, kind: torch.dtype
) -> None:
    width = shape[1]
    convolution = nn.Conv2d(
        width, width, kernel, stride, padding=kernel // 2, groups=width, bias=False
    ).to(DEVICE)
    x, weight = maps(*shape, kind=kind), convolution.weight
    expected = values_and_gradients(lambda x: convolution(x.float()), x, weight)
    found = values_and_gradients(Depthwise(convolution), x, weight)
    assert found[0].dtype == kind
    assert_near(found, expected, KINDS[kind])


@pytest.mark.parametrize("size", [(4, 6), (5, 7)], ids=["whole windows", "windows over the edge"])
def test_average_pooling_is_torchs(size: tuple[int, int]) -> None:
    x = maps(2, 8, *size)
    found = values_and_gradients(AveragePool(2), x)
    expected = values_and_gradients(nn.AvgPool2d(2, ceil_mode=True), x)
    assert_near(found, expected, 1e-6)


@pytest.mark.parametrize("programs", [None, 1, 7, 264])
@pytest.mark.parametrize(("rows", "width"), [(1, 8), (25, 16), (1000, 72), (262_144, 144)])
def test_every_row_and_channel_has_its_place(rows: int, width: int, programs: int | None) -> None:
    tiling = Tiling.of(rows, width, values=4096, programs=programs)
    assert tiling.block * tiling.blocks >= width
    assert rows <= tiling.parts * tiling.rows_each < rows + tiling.rows_each
    assert tiling.rows_each % tiling.tile == 0
    if programs is not None:
        assert tiling.parts == 1 or tiling.parts * tiling.blocks <= programs
    assert fits(width)
    assert not fits(width + 4)


# ---------------------------------------------------------------- whole networks


def some_network(**changes: Any) -> Architecture:
    """With depthwise convolutions, a fusion that pools, SE, and norms of 4 channels too."""
    space = tiny_space(
        resolution=8,
        stem={"width": 8, "stride": 1},
        defaults={"block": "mbconv", "expansion": 2, "kernel": 3, **changes},
        stages=[
            {"width": 8, "stride": 2, "depth": 1},
            {"width": 4, "stride": 1, "depth": 1},
            {"width": 16, "stride": 2, "depth": 2, "fusion": "concat", "fusion_from": 2},
        ],
    )
    return space.architecture(space.sample(random.Random(0)))


@pytest.mark.parametrize("activation", ["relu6", "hardswish"])
@pytest.mark.parametrize("half", [False, True])
def test_a_network_and_its_form_agree(half: bool, activation: str) -> None:
    architecture = some_network(activation=activation, se_ratio=0.25)
    plain, own = (build_seeded(architecture, 3, 0).to(DEVICE) for _ in range(2))
    images, labels = maps(6, 3, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2], device=DEVICE)
    losses: list[list[float]] = []
    for network, compute in ((plain, plain), (own, GpuForm(own))):  # type: ignore[arg-type]
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        losses.append([])
        for _ in range(3):
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
                loss = F.cross_entropy(compute(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses[-1].append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.03 if half else 1e-3)
    for module in (plain, own):
        module.eval()
    with torch.inference_mode():
        form = GpuForm(own)  # type: ignore[arg-type]
        torch.testing.assert_close(form(images), own(images), rtol=1e-4, atol=1e-4)


def test_a_depthwise_convolution_computes_in_autocasts_type() -> None:
    convolution = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False).to(DEVICE)
    with torch.autocast(DEVICE.type, torch.bfloat16):
        kinds = {layer(maps(1, 8, 4, 4)).dtype for layer in (convolution, Depthwise(convolution))}
    assert kinds == {torch.bfloat16}


def test_a_form_leaves_the_network_as_it_is() -> None:
    network = build_seeded(some_network(), 3, 0)
    names, layers = list(network.state_dict()), list(network.modules())
    GpuForm(network)  # type: ignore[arg-type]
    assert list(network.state_dict()) == names
    assert list(network.modules()) == layers


def test_every_depthwise_convolution_of_fit_width_is_in_the_form() -> None:
    network: Any = build_seeded(some_network(), 3, 0)
    there = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    own = [m for m in forms._layers(network).values() if isinstance(m, Depthwise)]
    assert [one.convolution for one in own] == there
    assert len(own) == 4
    fused = [m for m in forms._layers(network).values() if isinstance(m, NormActivation)]
    assert {one.activation for one in fused} == {"relu6", "none"}
    assert all(fits(one.norm.num_features) for one in fused)


def test_a_training_by_own_kernels_ends_where_torchs_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(form: Callable[..., Any]) -> Training:
        monkeypatch.setattr(steps, "quickest_form", lambda network, *_: form(network))
        recipe = Recipe(epochs=2, batch_size=8, precision="float32", ema=0.9)
        part = stripes(16, 8)
        trainer = TorchTrainer(part, part, 2, recipe, flip=True, crop=True, device=DEVICE.type)
        return trainer.train(Assignment(some_network(), 0), lambda _: None)

    plain, own = trained(lambda network: network), trained(GpuForm)
    assert [e.loss for e in own.curve] == pytest.approx([e.loss for e in plain.curve], rel=1e-3)
    assert own.weights.keys() == plain.weights.keys()
    for name, value in plain.weights.items():
        np.testing.assert_allclose(own.weights[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


# ---------------------------------------------------------------- where they do not work


def test_where_triton_fails_torch_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: torch.device) -> None:
        raise RuntimeError("Failed to find C compiler.\nSet CC.")

    monkeypatch.setattr(forms, "_try", broken)
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.enable_grad())
    network: Any = build_seeded(some_network(), 3, 0)
    said = r"cuda:99: Triton does not work \(RuntimeError: Failed to find C compiler\.\)"
    with pytest.warns(UserWarning, match=said):
        assert gpu_form(network, torch.device("cuda", 99)) is network


def test_a_fault_of_the_layers_is_not_taken_for_tritons(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_: torch.device) -> None:
        raise KeyError("Keyword argument PARTS was specified but unrecognised")

    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.enable_grad())
    monkeypatch.setattr(forms, "_try", wrong)
    with pytest.raises(KeyError, match="PARTS"):
        forms.why_not(torch.device("cuda", 96))


@pytest.mark.parametrize(
    ("error", "index"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), 98),
        (RuntimeError("Triton Error [CUDA]: out of memory"), 97),
    ],
)
def test_a_full_memory_says_nothing_of_triton(
    monkeypatch: pytest.MonkeyPatch, error: RuntimeError, index: int
) -> None:
    def full(_: torch.device) -> None:
        raise error

    device = torch.device("cuda", index)
    monkeypatch.setattr(torch.cuda, "device", lambda _: torch.enable_grad())
    monkeypatch.setattr(forms, "_try", full)
    with pytest.raises(RuntimeError, match="out of memory"):
        forms.why_not(device)
    monkeypatch.setattr(forms, "_try", lambda _: None)
    assert forms.why_not(device) is None


@pytest.mark.parametrize("capability", [80, 90])
def test_what_is_launched_compiles(capability: int, tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_INTERPRET": "0"}
    compiled = subprocess.run(
        [sys.executable, ROOT / "tests" / "compile_gpu_layers.py", str(capability)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stderr
    sizes = {name: int(size) for name, size in map(str.split, compiled.stdout.splitlines())}
    norms = {"statistics", "activated", "gradient_sums", "gradient"}
    assert sizes.keys() == norms | {"convolved", "weight_gradient"}
    assert min(sizes.values()) > 0
