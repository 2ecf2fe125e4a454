"""Networks that are held against each other: a study's own, and baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from mbnas.errors import MeasureError, SpaceError, StudyError
from mbnas.measure.foreign import foreign_costs, foreign_file, torchvision_network
from mbnas.measure.networks import TORCHVISION
from mbnas.measure.onnx_file import ARCHITECTURE, to_onnx
from mbnas.model import AnyNetwork
from mbnas.network import REFERENCES, Architecture, Costs, costs, reference
from mbnas.network.checks import nearest
from mbnas.search import Trial

USUAL = ("mobilenet_v1@0.5", "mobilenet_v2@0.35", "mobilenet_v2@0.5", "efficientnet_b0@0.5")
"""Baselines where none is named: small networks, as most fronts hold."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A network that others are held against.

    Attributes:
        name: What it is called in tables and plots.
        network: What is trained and timed.
        trial: Its trial's number; None for a baseline.
    """

    name: str
    network: AnyNetwork
    trial: int | None = None

    @classmethod
    def of(cls, trial: Trial) -> Contender:
        """A trial's network."""
        return cls(f"trial {trial.number}", trial.architecture, trial.number)

    @property
    def id(self) -> str:
        """Tells its network from all others."""
        return self.network.id

    def costs(self, classes: int) -> Costs:
        """What it costs by arithmetic."""
        if isinstance(self.network, Architecture):
            return costs(self.network.lower(classes))
        return foreign_costs(self.network, classes)

    def file(self, classes: int) -> bytes:
        """Its ONNX file, with weights that cost the same time as learned ones."""
        if isinstance(self.network, Architecture):
            about = {ARCHITECTURE: self.network.to_json()}
            return to_onnx(self.network.lower(classes), metadata=about)
        return foreign_file(self.network, classes)


def baseline(text: str, resolution: int) -> Contender:
    """The baseline that a text means.

    Args:
        text: A reference network with a factor of its widths, `mobilenet_v2@0.35`; or
            `torchvision:resnet18`, any classifier of torchvision.
        resolution: Of its images. On small images, references drop strides from the front until
            their last map is 4×4.

    Raises:
        StudyError: no such network, or none for such images.
    """
    try:
        if text.startswith(TORCHVISION):
            network = torchvision_network(text.removeprefix(TORCHVISION), resolution)
            return Contender(f"torchvision {network.name}", network)
        name, _, factor = text.partition("@")
        if name not in REFERENCES:
            known = ", ".join(REFERENCES)
            hint = nearest(name, REFERENCES) or f"; references are {known}, and torchvision:NAME"
            raise StudyError(f'baseline "{text}": unknown{hint}')
        multiplier = _multiplier(text, factor)
        architecture = reference(name, resolution, width_multiplier=multiplier, small=True)
        return Contender(name if multiplier == 1 else f"{name} ×{multiplier:g}", architecture)
    except MeasureError as error:  # which names it
        raise StudyError(f"baseline {error}") from None
    except SpaceError as error:
        raise StudyError(f'baseline "{text}": {error}') from None


def _multiplier(text: str, factor: str) -> float:
    try:
        return float(factor) if factor else 1.0
    except ValueError:
        raise StudyError(
            f'baseline "{text}": "{factor}" is no factor of widths; write mobilenet_v2@0.5'
        ) from None


class ContenderRecord(BaseModel):
    """A contender as a file holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    trial: int | None
    resolution: int
    architecture: dict[str, Any] | None
    torchvision: str | None

    @classmethod
    def of(cls, contender: Contender) -> ContenderRecord:
        """Of a contender."""
        network = contender.network
        is_own = isinstance(network, Architecture)
        return cls(
            name=contender.name,
            trial=contender.trial,
            resolution=network.resolution,
            architecture=network.to_dict() if isinstance(network, Architecture) else None,
            torchvision=None if is_own else getattr(network, "name", None),
        )

    def contender(self) -> Contender:
        """The contender.

        Raises:
            StudyError: its network cannot be made.
        """
        try:
            network: AnyNetwork
            if self.architecture is not None:
                network = Architecture.from_dict(self.architecture)
            else:
                network = torchvision_network(self.torchvision or "", self.resolution)
        except (SpaceError, MeasureError) as error:
            raise StudyError(f"{self.name}: damaged: {error}") from None
        return Contender(self.name, network, self.trial)
