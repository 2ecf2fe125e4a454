"""Training with PyTorch: that it learns, keeps to itself, and can be laid down anywhere."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import Images, some_architectures, stripes, tiny_space

from mbnas.errors import BuildError
from mbnas.network import Architecture
from mbnas.training.images import ImageTensors, Normalisation
from mbnas.training.recipe import Recipe
from mbnas.training.run import TrainingRun, state_arrays, take_over
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Assignment, Epoch, NonFiniteLossError, Training

RECIPES = {
    "sgd": Recipe(epochs=4),
    "adamw": Recipe(epochs=4, optimizer="adamw"),
    "everything": Recipe(epochs=4, cutout=0.4, mixup=0.2, ema=0.9, decay="cosine", warm_up=0.0),
    "bfloat16": Recipe(epochs=4, precision="bfloat16"),
}


def trainer(recipe: Recipe | None = None) -> TorchTrainer:
    part, held_out = stripes(320), stripes(160, seed=1)
    recipe = recipe or Recipe(epochs=4)
    return TorchTrainer(part, held_out, 2, recipe, flip=True, crop=True, device="cpu")


def network(dropout: float = 0.0) -> Architecture:
    return some_architectures(tiny_space(head={"dropout": dropout}), 1)[0]


def train(by: TorchTrainer, *, dropout: float = 0.0, **assignment: Any) -> Training:
    return by.train(Assignment(network(dropout), 0, **assignment), lambda _: None)


def assert_equal(one: Training, other: Training) -> None:
    assert [(e.loss, e.accuracy) for e in one.curve] == [(e.loss, e.accuracy) for e in other.curve]
    assert one.weights.keys() == other.weights.keys()
    for name, value in one.weights.items():
        np.testing.assert_array_equal(value, other.weights[name], err_msg=name)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_network_learns_stripes(recipe: Recipe) -> None:
    training = train(trainer(recipe))
    assert training.finished
    assert training.accuracy >= 0.95
    assert training.curve[-1].loss < training.curve[0].loss


def test_training_leaves_torchs_generator_and_threads_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    train(trainer(Recipe(epochs=1)), dropout=0.5)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_another_seed_gives_another_result() -> None:
    first, second = (
        trainer(Recipe(epochs=1)).train(Assignment(network(), seed), lambda _: None)
        for seed in (0, 1)
    )
    assert first.curve[0].loss != second.curve[0].loss


def test_a_loss_that_is_no_number_fails_the_trial_with_its_reason() -> None:
    with pytest.raises(NonFiniteLossError, match=r"epoch 1.*nan"):
        train(trainer(Recipe(epochs=2, learning_rate=1e30)))


def test_a_device_that_is_not_there_is_said() -> None:
    part = stripes(64)
    with pytest.raises(BuildError, match='device "warp"'):
        TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True, device="warp")
    with pytest.raises(BuildError, match='device "meta": not to be trained on'):
        TorchTrainer(part, part, 2, Recipe(), flip=True, crop=True, device="meta")


def test_a_trainer_among_others_stays_on_its_device() -> None:
    by = trainer()
    by.device = torch.device("meta")  # stands for any that is not the one of pickled trainers
    assert by.among(2).device.type == "meta"


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_laid_down_after_every_epoch_it_comes_to_the_same_weights(
    recipe: Recipe, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "trial" / "checkpoint.pt"
    unbroken = train(trainer(recipe), dropout=0.3)
    for until in (1, 2, 3):
        part = train(trainer(recipe), dropout=0.3, until=until, checkpoint=checkpoint)
        assert len(part.curve) == until
        assert not part.finished
        assert not part.weights
        assert checkpoint.exists()
    assert_equal(train(trainer(recipe), dropout=0.3, checkpoint=checkpoint), unbroken)


def test_what_is_raised_between_epochs_leaves_a_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer().train(Assignment(network(), 0, checkpoint=checkpoint), stop)
    heard: list[int] = []
    assignment = Assignment(network(), 0, checkpoint=checkpoint)
    again = trainer().train(assignment, lambda epoch: heard.append(epoch.epoch))
    assert heard == [3, 4]
    assert_equal(again, train(trainer()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:500]),
        lambda file: torch.save({"identity": "another", "state": {}}, file),
        lambda file: torch.save([Pickled()], file),
    ],
    ids=["empty", "cut", "foreign", "pickled"],
)
def test_a_checkpoint_of_no_use_is_passed_over(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(trainer(), until=2, checkpoint=checkpoint)
    spoil(checkpoint)
    assert_equal(train(trainer(), checkpoint=checkpoint), train(trainer()))
    assert not Pickled.made


class Pickled:
    """Would run code, if it were unpickled."""

    made = False

    def __reduce__(self) -> tuple[Any, ...]:
        return (setattr, (Pickled, "made", True))


def test_a_checkpoint_of_another_recipe_or_seed_is_passed_over(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    train(trainer(Recipe(epochs=4, mixup=0.2)), until=3, checkpoint=checkpoint)
    assert_equal(train(trainer(), checkpoint=checkpoint), train(trainer()))


def test_several_threads_come_to_what_each_comes_to_alone() -> None:
    by = trainer(Recipe(epochs=2))
    some = some_architectures(tiny_space(head={"dropout": 0.3}), 4)
    alone = [by.train(Assignment(one, 3), lambda _: None) for one in some]
    together: dict[int, Training] = {}

    def work(at: int) -> None:
        together[at] = by.train(Assignment(some[at], 3), lambda _: None)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(len(some))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for at, training in enumerate(alone):
        assert_equal(together[at], training)


def test_weights_that_agree_are_taken_over_and_help() -> None:
    learned = train(trainer())
    by = trainer(Recipe(epochs=1, learning_rate=1e-4))
    warm = by.train(Assignment(network(), 5, start=learned.weights), lambda _: None)
    cold = by.train(Assignment(network(), 5), lambda _: None)
    assert warm.accuracy > cold.accuracy + 0.1


def test_only_equal_shapes_are_taken_over() -> None:
    one, other = some_architectures(tiny_space(), 2)
    run, source = (
        TrainingRun(
            architecture,
            seed,
            train=part,
            validation=part,
            classes=2,
            recipe=Recipe(precision="float32"),
            augmentation=trainer()._augmentation,
        ).network
        for seed, architecture in enumerate((one, other))
        for part in [ImageTensors(stripes(64), Normalisation((0.5,) * 3, (0.5,) * 3), CPU)]
    )
    before, there = state_arrays(run), state_arrays(source)
    taken = take_over(run, there)
    after = state_arrays(run)
    agree = {name for name in before if name in there and there[name].shape == before[name].shape}
    assert 0 < len(agree) < len(before)
    for name, value in after.items():
        np.testing.assert_array_equal(value, there[name] if name in agree else before[name])
    assert taken == sum(before[name].size for name in agree)


CPU = torch.device("cpu")


@dataclass(frozen=True)
class _Uneven:
    """Nine of ten images are of one class."""

    count: int

    def part(self) -> Images:
        even = stripes(self.count)
        keep = (even.labels == 0) | (np.arange(self.count) % 9 == 0)
        return Images(even.images[keep], even.labels[keep])


def test_balanced_accuracy_counts_classes_alike() -> None:
    part = _Uneven(640).part()
    share = float((part.labels == 0).mean())
    assert share > 0.85
    by = TorchTrainer(
        part, part, 2, Recipe(epochs=1, learning_rate=1e-9), flip=False, crop=False, device="cpu"
    )
    epoch = by.train(Assignment(network(), 0), lambda _: None).curve[0]
    # Untrained batch norms give every image the same answer: one class right, the other wrong.
    assert epoch.accuracy == pytest.approx(share) or epoch.accuracy == pytest.approx(1 - share)
    assert epoch.balanced_accuracy == pytest.approx(0.5)


def test_large_images_are_evaluated_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a step of training has room for, whose memory is what is estimated."""
    asked: list[int] = []
    batches = ImageTensors.batches

    def spied(self: ImageTensors, resolution: int, size: int) -> Any:
        asked.append(size)
        return batches(self, resolution, size)

    monkeypatch.setattr(ImageTensors, "batches", spied)
    for resolution, batch in ((32, 8), (32, 256), (64, 256), (224, 8), (768, 1)):
        some = stripes(40 if resolution < 768 else 4, resolution)
        by = TorchTrainer(
            some, some, 2, Recipe(epochs=1, batch_size=batch), flip=True, crop=True, device="cpu"
        )
        one = some_architectures(tiny_space(resolution=resolution), 1)[0]
        by.train(Assignment(one, 0), lambda _: None)
    assert asked == [32, 160, 128, 10, 1]


def test_memory_grows_with_the_batch() -> None:
    small, large = (trainer(Recipe(batch_size=size)).memory(network()) for size in (32, 64))
    assert 0 < small < large < 1


def test_what_tells_the_memory_holds_no_images() -> None:
    told = pickle.loads(pickle.dumps(trainer().memory))
    assert told(network()) == pytest.approx(trainer().memory(network()), rel=0.5)
    assert len(pickle.dumps(told)) < 1_000 < trainer()._train.bytes


def test_precision_is_settled_by_trying() -> None:
    by = trainer(Recipe(epochs=1, precision="auto"))
    assert by.recipe.precision == "float32"
    assert by.settle_precision([network()]) in ("float32", "bfloat16")
    assert by.recipe.precision != "auto"
    assert by.recipe.epochs == 1


def test_an_average_of_the_weights_is_what_is_evaluated_and_kept() -> None:
    last, averaged = (train(trainer(Recipe(epochs=3, ema=ema))) for ema in (0.0, 0.99))
    # The same steps, so the same losses; what is kept of them differs.
    assert [e.loss for e in last.curve] == [e.loss for e in averaged.curve]
    assert any(
        not np.array_equal(value, averaged.weights[name]) for name, value in last.weights.items()
    )


def test_another_recipe_shares_the_images() -> None:
    by = trainer()
    longer = by.with_recipe(Recipe(epochs=7))
    assert (by.epochs, longer.epochs) == (4, 7)
    assert longer._train is by._train
