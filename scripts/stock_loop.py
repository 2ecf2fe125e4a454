"""The loop that one finds in most repositories, for `bench_training.py` to be held against.

DataLoaders with two workers each, eight beside a GPU, PIL images and torchvision's transforms,
maps in NCHW, an optimiser that is not fused, `loss.item()` at every step; float32 on a CPU,
autocast on a GPU.
"""

from __future__ import annotations

import io
import random
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).parent.parent))

from mbnas.model import build
from mbnas.network import Architecture
from mbnas.training.device import usual_precision
from mbnas.training.recipe import Recipe

CLASSES = 10
WORKERS = 2
WORKERS_BESIDE_A_GPU = 8

# ---------------------------------------------------------------- images


@dataclass(frozen=True)
class Part:
    images: NDArray[np.uint8]  # (N, 3, 32, 32)
    labels: NDArray[np.int64]

    def head(self, count: int) -> Part:
        return Part(self.images[:count], self.labels[:count])


def read_images(path: Path | None, train: int, validation: int) -> tuple[Part, Part]:
    """CIFAR-10 from a zip or tar of class folders; without one, blurred noise in ten kinds."""
    if path is None:
        return made_up(train + validation, train)
    from PIL import Image

    members = sorted(archived(path), key=lambda item: item[0])
    random.Random(0).shuffle(members)
    classes = sorted({name.split("/")[-2] for name, _ in members})
    taken = members[: train + validation]
    images = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for _, data in taken]
    labels = [classes.index(name.split("/")[-2]) for name, _ in taken]
    whole = Part(np.stack(images).transpose(0, 3, 1, 2).copy(), np.array(labels))
    return whole.head(train), Part(whole.images[train:], whole.labels[train:])


def archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """The training images' names and contents."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if "train/" in name and name.endswith(".jpg"):
                    yield name, archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if "train/" in member.name and member.name.endswith(".jpg"):
                    file = archive.extractfile(member)
                    if file is not None:
                        yield member.name, file.read()


def made_up(count: int, train: int) -> tuple[Part, Part]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, count)
    kinds = rng.normal(0, 1, (CLASSES, 3, 8, 8)).repeat(4, 2).repeat(4, 3)
    images = np.empty((count, 3, 32, 32), np.uint8)
    for start in range(0, count, 1000):
        some = slice(start, start + 1000)
        noise = rng.normal(0, 1.5, (len(labels[some]), 3, 32, 32))
        images[some] = (128 + 30 * (kinds[labels[some]] + noise)).clip(0, 255)
    return Part(images[:train], labels[:train]), Part(images[train:], labels[train:])


# ---------------------------------------------------------------- the stock loop


class StockImages(Dataset[tuple[Tensor, int]]):
    """PIL images through torchvision's transforms; the same by hand where these are not there."""

    def __init__(self, part: Part, resolution: int, mean: Any, std: Any, augment: bool) -> None:
        self.part = part
        self.arrays = np.ascontiguousarray(part.images.transpose(0, 2, 3, 1))
        self.transform = torchvision_transform(resolution, mean, std, augment)
        if self.transform is None:
            self.transform = transform_by_hand(resolution, mean, std, augment)

    def __len__(self) -> int:
        return len(self.part.labels)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        return self.transform(self.arrays[at]), int(self.part.labels[at])


def torchvision_transform(resolution: int, mean: Any, std: Any, augment: bool) -> Any:
    try:
        from PIL import Image
        from torchvision import transforms
    except (ImportError, RuntimeError):
        return None
    steps: list[Any] = [Image.fromarray]
    if resolution != 32:
        steps.append(transforms.Resize(resolution))
    if augment:
        steps.append(transforms.RandomCrop(resolution, padding=resolution // 8))
        steps.append(transforms.RandomHorizontalFlip())
    steps += [transforms.ToTensor(), transforms.Normalize(mean, std)]
    return transforms.Compose(steps)


def transform_by_hand(resolution: int, mean: Any, std: Any, augment: bool) -> Any:
    """What torchvision's transforms do, step for step, on PIL images."""
    from PIL import Image, ImageOps

    pad = resolution // 8
    shift, scale = torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)

    def transform(array: NDArray[np.uint8]) -> Tensor:
        image = Image.fromarray(array)
        if resolution != 32:
            image = image.resize((resolution, resolution), Image.Resampling.BILINEAR)
        if augment:
            image = ImageOps.expand(image, border=pad, fill=0)
            left, top = (int(torch.randint(0, 2 * pad + 1, (1,))) for _ in range(2))
            image = image.crop((left, top, left + resolution, top + resolution))
            if torch.rand(1) < 0.5:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
        return tensor.float().div(255).sub_(shift).div_(scale)

    return transform


class Stock:
    """The stock loop on one network."""

    def __init__(
        self, architecture: Architecture, train: Part, held_out: Part, recipe: Recipe, device: str
    ) -> None:
        mean, std = (
            tuple(float(value) for value in values)
            for values in (
                train.images.mean((0, 2, 3)) / 255,
                train.images.std((0, 2, 3)) / 255,
            )
        )
        size = architecture.resolution
        self.recipe, self.device = recipe, device
        self.size = recipe.batch_size_for(len(train.labels))
        loading: dict[str, Any] = {
            "num_workers": WORKERS if device == "cpu" else WORKERS_BESIDE_A_GPU,
            "persistent_workers": True,
            "pin_memory": device != "cpu",
        }
        augmented = StockImages(train, size, mean, std, augment=True)
        self.loader = DataLoader(augmented, self.size, shuffle=True, drop_last=True, **loading)
        self.held_out = DataLoader(
            StockImages(held_out, size, mean, std, augment=False), 512, **loading
        )
        self.architecture = architecture
        self.steps = len(train.labels) // self.size
        # float32 on a CPU; on a GPU bfloat16, where mbnas too would train in it.
        self.halved = device != "cpu" and usual_precision("auto", torch.device(device)) != "float32"

    def begin(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.network = build(self.architecture, CLASSES).to(self.device)
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        free = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": self.recipe.kernel_decay}, {"params": free}],
            lr=0.1,
            momentum=self.recipe.momentum,
            nesterov=True,
        )
        self.at = 0

    def epoch(self) -> float:
        """One epoch; its time in seconds, evaluation left out."""
        self.network.train()
        total, start = 0.0, time.perf_counter()
        for images, labels in self.loader:
            rate = self.recipe.rate_at(self.at, self.steps * self.recipe.epochs, self.size)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.zero_grad()
            with torch.autocast(self.device, torch.bfloat16, enabled=self.halved):
                logits = self.network(images.to(self.device))
                loss = F.cross_entropy(
                    logits,
                    labels.to(self.device),
                    label_smoothing=self.recipe.label_smoothing,
                )
            loss.backward()
            self.optimizer.step()
            total += loss.item()
            self.at += 1
        return time.perf_counter() - start

    @torch.no_grad()
    def accuracy(self) -> float:
        self.network.eval()
        right = sum(
            int((self.network(images.to(self.device)).argmax(1).cpu() == labels).sum())
            for images, labels in self.held_out
        )
        return right / len(self.held_out.dataset)  # type: ignore[arg-type]
