"""A search that really trains several networks at once on the CPU and measures between them."""

from __future__ import annotations

from pathlib import Path

from helpers import stripes, tiny_space
from integration.studies import fake_search

from mbnas.measure.latency import OrtLatencyMeter
from mbnas.search import Study
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer

RECIPE = Recipe(epochs=2, precision="float32")


def search(folder: Path) -> Study:
    part, held_out = stripes(256), stripes(128, seed=1)
    trainer = TorchTrainer(part, held_out, 10, RECIPE, flip=True, crop=True, device="cpu")
    meter = OrtLatencyMeter(seconds=0.05)
    return fake_search(
        folder,
        space=tiny_space(),
        trainer=trainer,
        meter=meter,
        recipe=RECIPE,
        pack=2,
        sampler="random",
    ).run(trials=6)


def test_every_trial_is_trained_measured_and_as_its_seed_says(tmp_path: Path) -> None:
    one, other = (search(tmp_path / name) for name in ("one", "other"))
    assert [trial.status for trial in one.trials] == ["trained"] * 6
    for trial, again in zip(one.trials, other.trials, strict=True):
        assert trial.latency is not None
        assert trial.latency.latency_ms > 0
        assert trial.architecture.id == again.architecture.id
        # Whatever ran beside it, parity checks of others among them.
        assert [(e.loss, e.accuracy) for e in trial.curve] == [
            (e.loss, e.accuracy) for e in again.curve
        ]
