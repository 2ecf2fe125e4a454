"""Where workers are: what of the machine each of them has."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mbnas.measure.cores import reserved_cores, usable_cores, with_hyperthreads
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Trainer


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker has of the machine.

    Attributes:
        name: Of its process.
        device: Where it trains; None where it only measures, or the trainer knows itself.
        sharing: How many workers train on that device.
        cores: Those that it is held on; none holds it nowhere.
    """

    name: str
    device: str | None
    sharing: int
    cores: tuple[int, ...] = ()


def places(trainer: Trainer, threads: int, pack: int) -> tuple[Place, list[Place]]:
    """Where to measure, and where to train: `pack` on each GPU, or on the cores.

    Args:
        trainer: What trains.
        threads: Threads of a measured network.
        pack: Trainings on a device at once.
    """
    measuring, training = _cores(trainer, threads)
    return Place("mbnas-measuring", None, 1, measuring), [
        Place(f"mbnas-training-{at}", device, pack, training)
        for at, device in enumerate(device for _ in range(pack) for device in _devices(trainer))
    ]


def _devices(trainer: Trainer) -> list[str | None]:
    """Where a trainer may train: where it is told, or on every GPU."""
    if not isinstance(trainer, TorchTrainer):
        return [None]
    if str(trainer.device) == "cuda":  # no certain one
        return [f"cuda:{at}" for at in range(torch.cuda.device_count())]
    return [str(trainer.device)]


def _cores(trainer: Trainer, threads: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores to measure on and to train on; none where all share them."""
    measuring = () if trainer.uses_cores else tuple(reserved_cores(threads))
    if not measuring:
        return (), ()
    left = set(usable_cores()) - with_hyperthreads(list(measuring))
    return measuring, tuple(sorted(left))
