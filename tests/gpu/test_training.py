"""Training on a CUDA device. Needs torch, numpy and pytest alone."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import some_architectures, stripes

from mbnas.network import Architecture
from mbnas.space import read_space
from mbnas.training.recipe import Recipe
from mbnas.training.run import TrainingRun
from mbnas.training.steps import STEPS_BEFORE_CAPTURE
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Epoch, OutOfMemoryError, Training

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SPACE = """
schema = 1
name = "tiny"
resolution = [8, 12]
stem = {{ width = {stem}, stride = 1 }}
head = {{ dropout = {dropout} }}

[defaults]
block = ["mbconv", "fused_mbconv"]
expansion = [1, 2]
kernel = 3

[[stage]]
width = [4, 8, 12]
stride = 2
depth = [1, 2]

[[stage]]
width = [8, 12, 16]
stride = 2
fusion = ["none", "concat", "weighted_sum", "attention"]
"""
EXACT = Recipe(epochs=3, precision="float32")


def trainer(recipe: Recipe = EXACT, device: str = "cuda") -> TorchTrainer:
    part, held_out = stripes(640), stripes(160, seed=1)
    return TorchTrainer(part, held_out, 2, recipe, flip=True, crop=True, device=device)


def networks(count: int, dropout: float = 0.0, stem: int = 4) -> list[Architecture]:
    """Small ones; what they are made of is read, as a bare GPU machine can."""
    return some_architectures(read_space(SPACE.format(dropout=dropout, stem=stem)), count)


def network(dropout: float = 0.0) -> Architecture:
    return networks(1, dropout)[0]


def ignore(_: Epoch) -> None:
    """Hears nothing."""


def test_a_gpu_is_what_is_taken_where_there_is_one() -> None:
    part = stripes(64)
    by = TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True)
    assert by.device.type == "cuda"
    assert not by.uses_cores


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_learns(precision: str) -> None:
    recipe = Recipe(epochs=4, precision=precision)  # type: ignore[arg-type]
    assert trainer(recipe).train(Assignment(network(), 0), ignore).accuracy >= 0.95


def run_on(device: str) -> TrainingRun:
    by = trainer(device=device)
    return by._run(network(), 3, None)


def test_cpu_and_gpu_agree_on_a_step_in_float32() -> None:
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        weights = []
        for device in ("cpu", "cuda"):
            run = run_on(device)
            run.network.train()
            run.steps.begin_epoch(1, torch.Generator().manual_seed(0))
            run.steps.advance()
            weights.append(run.weights())
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
    for name, value in weights[0].items():
        np.testing.assert_allclose(weights[1][name], value, rtol=2e-3, atol=2e-4, err_msg=name)


def test_fresh_weights_are_the_same_on_every_device() -> None:
    on_cpu, on_gpu = (run_on(device).weights() for device in ("cpu", "cuda"))
    for name, value in on_cpu.items():
        np.testing.assert_array_equal(on_gpu[name], value, err_msg=name)


def test_a_captured_step_does_what_a_plain_one_does() -> None:
    losses, by = [], trainer()
    for captured in (False, True):
        with by.prepared(network()):  # a stream of its own, as capturing needs
            run = by._run(network(), 3, None)
            run.network.train()
            run.steps.begin_epoch(1, torch.Generator().manual_seed(0))
            for _ in range(STEPS_BEFORE_CAPTURE + 4):
                run.steps.advance() if captured else run.steps._step()
            losses.append(float(run.steps.epoch_loss()))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_laid_down_and_taken_up_it_learns_the_same(tmp_path: Path) -> None:
    whole = trainer().train(Assignment(network(0.3), 0), ignore)
    checkpoint = tmp_path / "checkpoint.pt"
    for until in (1, 2, None):
        assignment = Assignment(network(0.3), 0, until=until, checkpoint=checkpoint)
        part = trainer().train(assignment, ignore)
    for one, other in zip(part.curve, whole.curve, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=0.02)


def test_a_trainer_among_others_is_on_the_same_gpu() -> None:
    other = trainer().among(2).with_recipe(Recipe(epochs=1))
    assert other.device.type == "cuda"
    assert other.train(Assignment(network(), 0), ignore).finished


def test_packing_changes_no_result_beyond_tolerance() -> None:
    by = trainer().among(6)
    some = networks(6, dropout=0.3)
    alone = [by.train(Assignment(one, 5), ignore) for one in some]
    together: dict[int, Training] = {}

    def work(at: int) -> None:
        together[at] = by.train(Assignment(some[at], 5), ignore)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(some))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, training in enumerate(alone):
        assert together[at].curve[0].loss == pytest.approx(training.curve[0].loss, rel=0.02)
        assert together[at].accuracy == pytest.approx(training.accuracy, abs=0.05)


def test_two_trainers_capture_in_turns() -> None:
    trainings: dict[int, Training] = {}

    def work(at: int) -> None:
        trainings[at] = trainer().train(Assignment(network(), at), ignore)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(trainings[at].finished for at in range(4))


def test_a_lack_of_memory_is_told_and_survived() -> None:
    by = trainer()
    assignment = Assignment(networks(1, stem=1024)[0], 0)
    torch.cuda.set_per_process_memory_fraction(1e-4)
    try:
        with pytest.raises(OutOfMemoryError, match="training on cuda"):
            by.train(assignment, ignore)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert by.train(Assignment(network(), 0), ignore).finished
