"""Training with PyTorch, on this machine's CPU or a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch

from mbnas.model import AnyNetwork
from mbnas.network import Architecture, costs
from mbnas.training.augmentation import Augmentation
from mbnas.training.checkpoint import read_checkpoint, training_identity, write_checkpoint
from mbnas.training.device import choose_device, free_bytes, usual_precision
from mbnas.training.images import ImageTensors, LabelledImages, Normalisation
from mbnas.training.memory import MemoryShare
from mbnas.training.recipe import Precision, Recipe
from mbnas.training.run import TrainingRun
from mbnas.training.surroundings import memory_errors, surroundings
from mbnas.training.trainer import Assignment, Epoch, Training, Weights, no_step
from mbnas.training.trying import quicker_precision, step_seconds

CUDA_CONTEXT_BYTES = 6e8
"""About what a process takes of a GPU before it has trained anything."""


class TorchTrainer:
    """Trains on this machine with PyTorch.

    Args:
        train: Training part, images uint8 (N, 3, R, R) at the largest allowed resolution.
        validation: Validation part.
        classes: Number of classes.
        recipe: How to train. With precision `auto` it is float32 on a CPU, until
            `settle_precision` has tried, and bfloat16 on a GPU that has it.
        flip: Whether a mirrored image is still of its class.
        crop: Whether a shifted image is still of its class.
        device: `cpu`, `cuda`, `cuda:1`; None takes a GPU where there is one.

    Raises:
        BuildError: the device is not there, or has no room for the images.
    """

    def __init__(
        self,
        train: LabelledImages,
        validation: LabelledImages,
        classes: int,
        recipe: Recipe,
        *,
        flip: bool,
        crop: bool,
        device: str | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.normalisation = Normalisation.of(train.images)
        self._classes = classes
        self._sharing = 1
        self._flip, self._crop = flip, crop
        self.recipe: Recipe
        self._set_recipe(recipe)
        with memory_errors(self.device):
            self._train = ImageTensors(train, self.normalisation, self.device)
            self._validation = ImageTensors(validation, self.normalisation, self.device)
        self._settle()

    def on(self, device: str | None) -> TorchTrainer:
        """The same trainer on another device.

        Raises:
            BuildError: the device is not there, or has no room for the images.
        """
        other = copy.copy(self)
        other.device = choose_device(device)
        with memory_errors(other.device):
            other._train = self._train.on(other.device)
            other._validation = self._validation.on(other.device)
        other._settle()
        return other

    def _settle(self) -> None:
        """Looks at the device and the process that it is in now."""
        # Asked for once: what one thread sets, a new one begins with.
        self._threads = torch.get_num_threads()
        if self.device.type == "cuda":  # other streams will read the images
            torch.cuda.synchronize(self.device)
        self._free_bytes = free_bytes(self.device)

    def __copy__(self) -> TorchTrainer:
        """In the same process and on the same device, unlike what is pickled."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __getstate__(self) -> dict[str, Any]:
        """For another process, in which it is on the CPU until it is put `on` a device."""
        return {**self.__dict__, "device": torch.device("cpu")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In the process that it was sent to."""
        self.__dict__.update(state)
        self._settle()

    def with_recipe(self, recipe: Recipe) -> TorchTrainer:
        """A trainer by another recipe that shares this one's images."""
        other = copy.copy(self)
        other._set_recipe(recipe)
        return other

    @property
    def epochs(self) -> int:
        """Epochs of a whole training."""
        return self.recipe.epochs

    @property
    def uses_cores(self) -> bool:
        """Whether it trains on the CPU."""
        return self.device.type == "cpu"

    def among(self, trainings: int) -> TorchTrainer:
        """A trainer that leaves the others of so many their share of the cores."""
        other = copy.copy(self)
        other._sharing = trainings
        return other

    def train(
        self,
        assignment: Assignment,
        on_epoch: Callable[[Epoch], None],
        on_step: Callable[[], None] = no_step,
    ) -> Training:
        """Trains one network, from fresh weights or from where its checkpoint is.

        Raises:
            NonFiniteLossError: the loss is no number any more.
            OutOfMemoryError: the device's memory does not suffice.
            BuildError: the checkpoint cannot be written.
        """
        last = self.recipe.epochs
        with memory_errors(self.device), self.prepared(assignment.architecture):
            run = self._run(assignment.architecture, assignment.seed, assignment.start)
            identity = self._identity(assignment)
            if assignment.checkpoint is not None:
                state = read_checkpoint(assignment.checkpoint, identity)
                if state is not None:
                    run.take_up(state)
            while len(run.curve) < min(last, assignment.until or last):
                epoch = run.epoch(on_step if self.uses_cores else no_step)
                if assignment.checkpoint is not None and epoch.epoch < last:
                    write_checkpoint(assignment.checkpoint, identity, run.state())
                on_epoch(epoch)
            finished = len(run.curve) == last
            return Training(tuple(run.curve), run.weights() if finished else {}, finished)

    def estimate_seconds(self, architecture: AnyNetwork) -> float:
        """About how long a whole training would take, from a few steps."""
        step = self._tried(architecture)
        size = self.recipe.batch_size_for(len(self._train))
        evaluation = step / 3 * len(self._validation) / size  # no backward pass
        return self.recipe.epochs * (step * (len(self._train) // size) + evaluation)

    @property
    def memory(self) -> MemoryShare:
        """Tells the share of the device's free memory that training a network takes."""
        images = 2 * (self._train.bytes + self._validation.bytes)  # resized once more
        return MemoryShare(
            free_bytes=self._free_bytes,
            bytes_besides=0.0 if self.uses_cores else CUDA_CONTEXT_BYTES + images,
            classes=self._classes,
            batch_size=self.recipe.batch_size_for(len(self._train)),
            bytes_a_value=2 if self.recipe.precision == "bfloat16" else 4,
        )

    def settle_precision(self, architectures: Sequence[Architecture]) -> Precision:
        """Trains from now on in bfloat16, if a few steps of some networks are faster so on a CPU.

        Returns:
            The precision that trainings have from now on.
        """

        def seconds(network: Architecture, precision: Precision) -> float:
            return self.with_recipe(replace(self.recipe, precision=precision))._tried(network)

        settled = quicker_precision(architectures, seconds)
        self.recipe = replace(self.recipe, precision=settled)
        return settled

    def prepared(self, architecture: AnyNetwork) -> AbstractContextManager[None]:
        """That in which a network's steps are done: a stream, or threads of the CPU."""
        step_macs = self.recipe.batch_size_for(len(self._train)) * _macs(architecture)
        return surroundings(self.device, step_macs, self._threads, self._sharing)

    def _tried(self, architecture: AnyNetwork) -> float:
        """Seconds of a step."""
        with memory_errors(self.device), self.prepared(architecture):
            return step_seconds(self._run(architecture, 0, None), self.device)

    def _set_recipe(self, recipe: Recipe) -> None:
        self.recipe = replace(recipe, precision=usual_precision(recipe.precision, self.device))
        self._augmentation = Augmentation(
            flip=self._flip and recipe.flip,
            crop=self._crop and recipe.crop,
            cutout=recipe.cutout,
            mixup=recipe.mixup,
        )

    def _run(self, architecture: AnyNetwork, seed: int, start: Weights | None) -> TrainingRun:
        return TrainingRun(
            architecture,
            seed,
            train=self._train,
            validation=self._validation,
            classes=self._classes,
            recipe=self.recipe,
            augmentation=self._augmentation,
            start=start,
        )

    def _identity(self, assignment: Assignment) -> str:
        return training_identity(
            assignment,
            self.device.type,  # whose generators' states differ
            self.recipe,
            self._augmentation,
            self._classes,
            self.normalisation,
            (len(self._train), len(self._validation)),
        )


def _macs(network: AnyNetwork) -> int:
    return costs(network.lower()).macs if isinstance(network, Architecture) else network.macs
