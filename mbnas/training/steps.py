"""One step of the optimiser, from the choice of its images to the changed weights.

Everything a step needs lies on the device, and so does its count: no step waits for the host, and
on a GPU a step is captured once as a CUDA graph and then replayed by one call, which is what keeps
small networks from being bound by the host's launching of their many small kernels.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from mbnas.model.layers import Dropout
from mbnas.training.augmentation import Augmentation
from mbnas.training.device import turn
from mbnas.training.form import quickest_form
from mbnas.training.images import ImageTensors
from mbnas.training.recipe import Recipe

STEPS_BEFORE_CAPTURE = 3
"""Steps done one kernel at a time: libraries set themselves up, the optimiser makes its state."""


class Steps:
    """The steps of one network's training.

    Args:
        network: On the device, in channels-last memory.
        data: The training part.
        resolution: Of the images.
        rates: The learning rate of every step of the whole training.
        size: Images a step.
        recipe: How to train; its precision is settled.
        augmentation: What is done to the images.
        seed: Of dropout.
    """

    def __init__(
        self,
        network: nn.Module,
        data: ImageTensors,
        resolution: int,
        *,
        rates: Sequence[float],
        size: int,
        recipe: Recipe,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self.network = network
        self.forward = quickest_form(network, data.labels.device, recipe.precision)
        self.size = size
        self.an_epoch = len(data) // size
        self.dropout = torch.Generator(data.labels.device).manual_seed(seed)
        self._data = data
        self._images = data.at(resolution)
        self._recipe = recipe
        self._augmentation = augmentation
        self._device = device = data.labels.device
        self._rates = torch.tensor(rates, device=device)
        self._rate = torch.zeros((), device=device)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)  # of the whole training
        self._of_epoch = torch.zeros(1, dtype=torch.int64, device=device)
        self._chosen = torch.zeros(self.an_epoch, size, dtype=torch.int64, device=device)
        uniform, shares = augmentation.draw(self.an_epoch, size, torch.Generator())
        self._uniform, self._shares = uniform.to(device), shares.to(device)
        self._loss = torch.zeros((), device=device)
        self.optimizer = self._make_optimizer()
        # Batch norms' statistics are averaged with the weights that they belong to.
        self._values = [
            value
            for value in network.state_dict().values()
            if value.ndim and value.is_floating_point()
        ]
        self._averages = [value.clone() for value in self._values] if recipe.ema else []
        for module in network.modules():
            if isinstance(module, Dropout):
                module.generator = self.dropout
        self._done = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def begin_epoch(self, epoch: int, draws: torch.Generator) -> None:
        """Draws an epoch's order and augmentation, on the CPU; a last incomplete batch is left out.

        Args:
            epoch: Counted from 1.
            draws: On the CPU, so that the same seed means the same batches on every device.
        """
        order = torch.randperm(len(self._data), generator=draws)[: self.an_epoch * self.size]
        uniform, shares = self._augmentation.draw(self.an_epoch, self.size, draws)
        self._chosen.copy_(order.view(self.an_epoch, self.size))
        self._uniform.copy_(uniform)
        self._shares.copy_(shares)
        self._at.fill_((epoch - 1) * self.an_epoch)
        self._of_epoch.zero_()
        self._loss.zero_()

    def advance(self) -> None:
        """One step; on a GPU it is only handed over."""
        if self._graph is None:
            with turn(self._device):
                self._first_steps()
        else:
            # Out of turn: a replay waits where its queue is full, and the others must not.
            self._graph.replay()
        self._done += 1

    def epoch_loss(self) -> Tensor:
        """The mean training loss of the epoch's steps, on the device."""
        return self._loss / self.an_epoch

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the network has its averaged weights, where the recipe asks for an average."""
        if not self._averages:
            yield
            return
        last = [value.clone() for value in self._values]
        with torch.no_grad():
            torch._foreach_copy_(self._values, self._averages)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._values, last)

    @property
    def averages(self) -> list[Tensor]:
        """The running averages; empty without `ema`."""
        return self._averages

    def take_up(self, optimizer: dict[str, object], averages: Sequence[Tensor]) -> None:
        """Goes on from an optimiser's state and averages that were laid down."""
        self.optimizer.load_state_dict(optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate
        for mine, there in zip(self._averages, averages, strict=True):
            mine.copy_(there)

    def _make_optimizer(self) -> torch.optim.Optimizer:
        """Decays kernels and matrices; norms, biases and fusion weights stay free."""
        parameters = list(self.network.parameters())
        groups = [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": self._recipe.kernel_decay,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        recipe = self._recipe
        # The rate is a tensor, so that a captured step reads it anew each time.
        if recipe.optimizer == "adamw":
            return torch.optim.AdamW(
                groups, lr=self._rate, fused=True, capturable=self._device.type == "cuda"
            )
        return torch.optim.SGD(
            groups,
            lr=self._rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            fused=True,
        )

    def _first_steps(self) -> None:
        """A step before there is a graph, or the first one with it."""
        if self._device.type != "cuda" or self._done < STEPS_BEFORE_CAPTURE:
            self._step()
        else:
            self._graph = self._captured()
            self._graph.replay()

    def _step(self) -> None:
        at = self._of_epoch
        drawn = self._uniform.index_select(0, at)[0]
        share = self._shares.index_select(0, at)[0]
        chosen = self._chosen.index_select(0, at)[0]
        self._rate.copy_(self._rates.index_select(0, self._at)[0])
        change = self._augmentation
        images = self._data.normalised(change.gathered(self._images, chosen, drawn))
        images = change.mixed(change.blanked(images, drawn), share)
        labels = self._data.labels[chosen]
        with torch.autocast(
            self._device.type,
            dtype=torch.bfloat16,
            enabled=self._recipe.precision == "bfloat16",
        ):
            logits = self.forward(images)
            loss = change.loss(logits, labels, share, self._recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self._loss += loss.detach()
        if self._averages:
            self._average()
        self._at += 1
        self._of_epoch += 1

    @torch.no_grad()
    def _average(self) -> None:
        # Young averages forget faster, so that fresh weights do not linger in them.
        told = self._at[0].float()
        keep = torch.clamp((1 + told) / (10 + told), max=self._recipe.ema)
        apart = torch._foreach_sub(self._values, self._averages)
        torch._foreach_mul_(apart, 1 - keep)
        torch._foreach_add_(self._averages, apart)

    def _captured(self) -> torch.cuda.CUDAGraph:
        """The step as a CUDA graph; capturing does not execute it."""
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.dropout)
        stream = torch.cuda.current_stream(self._device)
        # Other threads train other networks meanwhile: what they do is no fault of this capture.
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            self._step()
        return graph
