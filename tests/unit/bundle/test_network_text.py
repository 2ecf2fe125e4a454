"""model.py: what it computes, what it names, and how it reads, for every kind of network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from unit.measure.test_onnx_file import every_option
from unit.model.options import OPTIONS, network_of
from unit.model.pairwise import pairwise

from mbnas.bundle.layers import FUNCTIONS, LAYERS
from mbnas.bundle.layout import strings
from mbnas.bundle.network_text import network_text
from mbnas.measure.onnx_file import random_weights
from mbnas.model import Network
from mbnas.network import Architecture, Fusion, Graph, reference
from mbnas.network import primitives as ops
from mbnas.network.graph import GraphBuilder
from mbnas.space import load_space

CLASSES = 3
LABELS = ("cat", 'a "big" dog', "it's")
REFERENCES = ["mobilenet_v1", "mobilenet_v2", "efficientnet_b0", "efficientnet_v2_s"]
SPACES = [every_option(), load_space("cifar_mobile"), load_space("digits_tiny")]


def text_of(graph: Graph) -> str:
    return network_text(graph, LABELS, "A network,\nfrom somewhere.")


def weights_of(graph: Graph) -> dict[str, Any]:
    """Random ones, the batch norms' and learned numbers too."""
    rng = np.random.default_rng(1)
    return {
        name: (
            value * rng.uniform(0.7, 1.3, value.shape) + rng.uniform(0, 0.02, value.shape)
        ).astype(np.float32)
        for name, value in random_weights(graph).items()
    }


def check(graph: Graph, folder: Path) -> str:
    """The text, which computes what the module computes, with the same weights."""
    weights, text = weights_of(graph), text_of(graph)
    save_file(weights, folder / "weights.safetensors")
    held: dict[str, Any] = {"__file__": str(folder / "model.py"), "__name__": "model"}
    exec(compile(text, "model.py", "exec", dont_inherit=True), held)
    loaded = held["load"]()
    assert held["LABELS"] == LABELS
    counters = {name for name in loaded.state_dict() if name.endswith("num_batches_tracked")}
    assert loaded.state_dict().keys() - counters == weights.keys()
    expected = Network(graph)
    expected.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    images = torch.from_numpy(
        np.random.default_rng(2).standard_normal((2, *graph.input_shape), np.float32)
    )
    with torch.inference_mode():
        logits = loaded(images)
        assert logits.isfinite().all()
        assert torch.equal(logits, expected.eval()(images))
    return text


def check_style(texts: list[str], folder: Path) -> None:
    """All are as ruff lays them out, and have no name that is not used."""
    for number, text in enumerate(texts):
        (folder / f"model_{number}.py").write_text(text)
    ruff = [sys.executable, "-m", "ruff"]
    own = ["--isolated", "--line-length", "100", "--target-version", "py311", folder]
    done = subprocess.run(
        [*ruff, "format", "--diff", *own], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[:3000]
    rules = ["--select", "E,F,W,I,B,C4,SIM,RET,N", *own]
    done = subprocess.run([*ruff, "check", *rules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[:3000]


def test_all_pairs_of_options(tmp_path: Path) -> None:
    cases = pairwise(OPTIONS)
    texts = [check(network_of(**case).lower(CLASSES), tmp_path) for case in cases]
    assert len(texts) > 30
    check_style(texts, tmp_path)


def test_random_networks(tmp_path: Path) -> None:
    texts = []

    @given(st.sampled_from(SPACES), st.randoms(use_true_random=False))
    def try_one(space: Any, rng: Any) -> None:
        architecture = space.architecture(space.sample(rng))
        texts.append(check(architecture.lower(CLASSES), tmp_path))

    try_one()
    check_style(texts, tmp_path)


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_networks_are_short(name: str, tmp_path: Path) -> None:
    text = check(reference(name, 32).lower(CLASSES), tmp_path)
    check_style([text], tmp_path)
    assert len(text.splitlines()) < 260  # a class for each structure, a line for each block


def test_helpers_stand_there_where_they_are_used() -> None:
    def text(fusion: Fusion) -> str:
        case = {name: values[0] for name, values in OPTIONS.items()}
        return text_of(network_of(**{**case, "fusion": fusion}).lower(CLASSES))

    plain, learned, attention = (
        text(fusion) for fusion in (Fusion(), Fusion(type="weighted_sum"), Fusion(type="attention"))
    )
    assert "def mix" not in plain
    assert "class Scalar" not in plain
    assert "def group" not in plain
    assert "class Scalar" in learned
    assert "mix(a, b, self.weight(self.logit()))" in learned
    assert "class Scalar" not in attention
    assert "def mix" in attention


def test_every_primitive_is_known() -> None:
    known = {*LAYERS, *FUNCTIONS, ops.Primitive, ops.SameShape, ops.Input}
    held = [one for one in vars(ops).values() if isinstance(one, type)]
    assert {one for one in held if issubclass(one, ops.Primitive)} == known


def crossing(graph: GraphBuilder, name: str, at: int) -> int:
    """A unit whose layers are no chain: one is taken twice."""
    first = graph.add(f"{name}.mess.first", ops.Conv(8, 8), at)
    second = graph.add(f"{name}.mess.second", ops.Conv(8, 8), first)
    third = graph.add(f"{name}.mess.third", ops.Conv(8, 8), first)
    return graph.add(f"{name}.join", ops.Add(), second, third)


def entwined(graph: GraphBuilder, name: str, at: int) -> int:
    """Two chains whose layers stand in turns."""
    left = graph.add(f"{name}.left.conv", ops.Conv(8, 8), at)
    right = graph.add(f"{name}.right.conv", ops.Conv(8, 8), at)
    left = graph.add(f"{name}.left.act", ops.Activation("relu"), left)
    right = graph.add(f"{name}.right.act", ops.Activation("silu"), right)
    return graph.add(f"{name}.scale", ops.Multiply(), right, left)


@pytest.mark.parametrize("block", [crossing, entwined])
def test_a_block_nobody_has_thought_of(
    block: Callable[[GraphBuilder, str, int], int], tmp_path: Path
) -> None:
    graph = GraphBuilder(3, 8, 1e-5)
    at = graph.conv("stem", 0, 8, activation="relu")
    for number in (1, 2):
        at = block(graph, f"stage1.block{number}", at)
    at = graph.add("head.pool", ops.GlobalAveragePool(), at)
    at = graph.add("head.flatten", ops.Flatten(), at)
    graph.add("head.classifier", ops.Linear(8, CLASSES), at)
    text = check(graph.build(), tmp_path)
    assert text.count("class Block") == 1
    check_style([text], tmp_path)


def test_what_is_said_of_it_cannot_break_the_file(tmp_path: Path) -> None:
    case = {name: values[0] for name, values in OPTIONS.items()}
    graph = network_of(**case).lower(1)
    about = 'A study\ncalled """ \\ and "'
    labels = ["\n\t\x00", "'\"", '"', "'", "\\", "日本", "é\u200b", "a" * 120]
    texts = [network_text(graph, [label], about) for label in labels]
    texts.append(network_text(graph, labels, about))
    for text in texts:
        compile(text, "model.py", "exec")
    check_style(texts[:1], tmp_path)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_strings_are_what_they_say(values: list[str]) -> None:
    assert eval("\n".join(strings("", values))) == tuple(values)


def test_a_network_of_a_thousand_classes(tmp_path: Path) -> None:
    architecture: Architecture = reference("mobilenet_v2", 32)
    text = network_text(
        architecture.lower(1000), [f"class {n}" for n in range(1000)], "A network,\nlarge."
    )
    check_style([text], tmp_path)
