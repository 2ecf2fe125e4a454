"""The engines that train several networks at once on a CUDA device."""

from __future__ import annotations

import contextlib

import pytest
import torch
from helpers import some_architectures, stripes, tiny_space

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
for needed in ("onnxruntime", "pydantic", "tomli_w"):
    pytest.importorskip(needed, reason=f"the engine measures latencies, which needs {needed}")

from mbnas.engine import (  # noqa: E402
    EngineName,
    PackedEngine,
    Train,
    Trained,
    WorkersEngine,
    make_engine,
)
from mbnas.testing import FakeLatencyMeter  # noqa: E402
from mbnas.training.recipe import Recipe  # noqa: E402
from mbnas.training.torch_trainer import TorchTrainer  # noqa: E402
from mbnas.training.trainer import Assignment  # noqa: E402


@pytest.mark.parametrize("name", ["auto", "local"])
def test_a_pack_is_trained_and_its_files_agree(name: EngineName) -> None:
    trainer = TorchTrainer(
        stripes(640), stripes(160, seed=1), 2, Recipe(epochs=4), flip=True, crop=True
    )
    some = some_architectures(tiny_space(), 4)
    engine = make_engine(name, trainer, FakeLatencyMeter(), classes=2, pack=3)
    assert isinstance(engine, WorkersEngine if name == "auto" else PackedEngine)
    with contextlib.closing(engine):
        for trial, architecture in enumerate(some):
            engine.submit(Train(trial, Assignment(architecture, 0)))
        outcomes = [engine.wait(lambda *_: None) for _ in some]
    for outcome in outcomes:
        assert isinstance(outcome, Trained)  # its file was held equal to the module
        assert outcome.model is not None
        assert outcome.training.accuracy >= 0.9
