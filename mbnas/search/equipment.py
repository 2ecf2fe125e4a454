"""What a search trains and measures with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from mbnas.data import Dataset
from mbnas.engine import (
    Engine,
    EngineName,
    MeasuringProcess,
    make_engine,
    make_trainer,
    settled_engine,
)
from mbnas.engine.on_ray import RayEngine, RayMeter, connect
from mbnas.engine.room import PACK_ON_GPU
from mbnas.measure.host import Host, this_host
from mbnas.measure.latency import LatencyMeter, OrtLatencyMeter
from mbnas.network import Architecture
from mbnas.search.events import Observer
from mbnas.training.gpu.form import warn_of_torchs_layers
from mbnas.training.images import Normalisation
from mbnas.training.recipe import Precision, Recipe
from mbnas.training.torch_trainer import TorchTrainer
from mbnas.training.trainer import Trainer


@dataclass(slots=True)
class Equipment:
    """A trainer, a meter, and the engine that has them work.

    Attributes:
        data: The images.
        resolution: To which they are decoded.
        recipe: How networks are trained; its precision is settled when a study is made.
        device: Where; None takes a GPU where there is one.
        given: A trainer in place of PyTorch's.
        meter: Measures latencies.
        engine_name: Where candidates are evaluated; settled with the first `engine`.
        address: Of a Ray cluster; None starts Ray on this machine.
        pack: Networks trained at once; None takes the usual number.
    """

    data: Dataset
    resolution: int
    recipe: Recipe
    device: str | None
    given: Trainer | None
    meter: LatencyMeter
    engine_name: EngineName
    address: str | None
    pack: int | None
    _made: TorchTrainer | None = None

    @property
    def host(self) -> Host:
        """The machine that measures, once the equipment is `ready`."""
        if isinstance(self.meter, RayMeter):
            return self.meter.host
        return this_host(self.meter.threads)

    @property
    def normalisation(self) -> Normalisation | None:
        """Of the images, once a trainer has them."""
        trainer = self.given or self._made
        return trainer.normalisation if isinstance(trainer, TorchTrainer) else None

    def trainer(self, observer: Observer) -> Trainer:
        """What trains; its images are decoded now, unless they are.

        Raises:
            DataError: images that cannot be read.
            BuildError: a device that is not there.
        """
        if self.given is not None:
            return self.given
        if self._made is None:
            self._made = make_trainer(
                self.data, self.resolution, self.recipe, self.device, observer.images_decoded
            )
        return self._made

    def take_precision(self, precision: Precision) -> None:
        """Trains in the precision that was settled when a study was made."""
        if self.recipe.precision != "auto":
            return
        self.recipe = replace(self.recipe, precision=precision)
        if self._made is not None:  # by an estimate
            asked = replace(self._made.recipe, precision=precision)
            self._made = self._made.with_recipe(asked)

    def settle_precision(self, some: Sequence[Architecture]) -> None:
        """Takes what GPUs are sure to gain by; a CPU is tried, with some networks."""
        if isinstance(self.meter, RayMeter):
            settled = self.meter.cluster.gpu_precision()
            if settled is not None:
                self.take_precision(settled)
        trainer = self.given or self._made
        if self.recipe.precision != "auto" or not isinstance(trainer, TorchTrainer):
            return
        if trainer.uses_cores and self.given is None:
            trainer.settle_precision(some)
        self.recipe = trainer.recipe

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """While the context lasts, a cluster's hosts measure, if there is one.

        Raises:
            StudyError: the cluster does not answer, or none of its hosts measures.
        """
        if self.engine_name != "ray":
            yield
            return
        given = self.meter
        with contextlib.closing(connect(self.address)) as cluster:
            self.meter = RayMeter(cluster, given)
            try:
                yield
            finally:
                self.meter = given

    @contextlib.contextmanager
    def engine(self, observer: Observer) -> Iterator[Engine]:
        """The engine, while the context lasts and that of `ready` does.

        Raises:
            StudyError: the trainer or the meter cannot be sent to other processes.
        """
        if isinstance(self.meter, OrtLatencyMeter):
            self.meter.on_wait = observer.waits_for_cores
        trainer = self.trainer(observer)
        meter = self.meter
        self.engine_name = settled_engine(self.engine_name, trainer)
        beside = self.engine_name == "local" and not trainer.uses_cores
        if beside and isinstance(meter, OrtLatencyMeter):
            # The cores, which training does not need, measure the next network meanwhile.
            meter = MeasuringProcess(meter.threads, meter.seconds)
        if (
            self.engine_name == "workers"
            and isinstance(trainer, TorchTrainer)
            and not trainer.uses_cores
        ):
            with contextlib.suppress(RuntimeError):  # a full memory, which the training will tell
                warn_of_torchs_layers(trainer.device)  # in workers nobody sees a warning
        classes, on_wait = len(self.data.classes), observer.waits_for_cores
        engine: Engine
        if isinstance(meter, RayMeter):
            pack = self.pack or PACK_ON_GPU
            engine = RayEngine(trainer, meter, classes, pack=pack, on_wait=on_wait)
        else:
            engine = make_engine(self.engine_name, trainer, meter, classes, self.pack, on_wait)
        if self.engine_name != "local":
            # Its images are the workers' now, and need not be here twice.
            self._made = None
            del trainer
            if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
                torch.cuda.empty_cache()
        with contextlib.closing(engine):
            yield engine
