"""The trainer of a data set, and the engine that suits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from mbnas.data import Dataset
from mbnas.engine.jobs import Engine
from mbnas.engine.local import LocalEngine
from mbnas.engine.packed import PackedEngine
from mbnas.engine.room import PACK_ON_GPU
from mbnas.engine.workers import WorkersEngine
from mbnas.errors import StudyError
from mbnas.measure.cores import usable_cores
from mbnas.measure.latency import LatencyMeter
from mbnas.training.recipe import Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Trainer

EngineName = Literal["auto", "local", "workers", "ray"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
MOST_ON_CPU = 4
"""Trainings at once on a CPU, where nobody says how many."""


def make_trainer(
    data: Dataset,
    resolution: int,
    recipe: Recipe,
    device: str | None,
    progress: Callable[[int, int], None],
) -> TorchTrainer:
    """A trainer on a data set's train and validation parts.

    Args:
        data: The images.
        resolution: To which they are decoded, the largest that is trained at.
        recipe: How to train.
        device: Where; None takes a GPU where there is one.
        progress: Hears of images decoded, of images in a part.

    Raises:
        DataError: images that cannot be read.
        BuildError: a device that is not there.
    """
    return TorchTrainer(
        data.decode("train", resolution, progress),
        data.decode("validation", resolution, progress),
        len(data.classes),
        recipe,
        flip=data.flip,
        crop=data.crop,
        device=device,
    )


def check_engine(name: str) -> EngineName:
    """The name of an engine.

    Raises:
        StudyError: there is none of that name.
    """
    for known in ENGINES:
        if name == known:
            return known
    raise StudyError(f'engine "{name}": unknown; engines are {", ".join(ENGINES)}')


def settled_engine(name: EngineName, trainer: Trainer) -> EngineName:
    """What `auto` means: processes where a GPU trains, which threads of one process keep idle."""
    if name != "auto":
        return name
    on_gpu = isinstance(trainer, TorchTrainer) and not trainer.uses_cores
    return "workers" if on_gpu else "local"


def make_engine(
    name: EngineName,
    trainer: Trainer,
    meter: LatencyMeter,
    classes: int,
    pack: int | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> Engine:
    """An engine on this machine.

    Args:
        name: `local`, in this process; `workers`, in processes of their own; `auto`, the latter on
            a GPU.
        trainer: Trains networks.
        meter: Measures latencies, here or beside.
        classes: Number of classes of the data.
        pack: Networks trained at once, on GPUs on each. None takes one for each core, at most
            four, for two on a core each are done sooner than in turns on both; on a GPU four in
            processes, one in this process, where several would wait for each other.
        on_wait: Called when another mbnas keeps a training from the cores for two seconds.

    Raises:
        StudyError: trainer or meter cannot be sent to another process.
    """
    name = settled_engine(name, trainer)
    pack = pack or usual_pack(name, trainer)
    if name == "workers":
        return WorkersEngine(trainer, meter, classes, pack, on_wait)
    if pack == 1:
        return LocalEngine(trainer, meter, classes, on_wait)
    if isinstance(trainer, TorchTrainer):
        trainer = trainer.among(pack)
    return PackedEngine(trainer, meter, classes, pack, on_wait)


def usual_pack(name: EngineName, trainer: Trainer) -> int:
    """Networks trained at once on a device, where nobody says how many."""
    if not isinstance(trainer, TorchTrainer):
        return 1
    if trainer.uses_cores:
        return min(MOST_ON_CPU, len(usable_cores()))
    return 1 if name == "local" else PACK_ON_GPU
