"""Checkpoints that were changed, or made, by somebody else."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from mbnas.training.checkpoint import read_checkpoint, write_checkpoint

STATE = {"curve": [[1, 0.5]], "network": {"weight": torch.arange(4.0)}}


class Payload:
    """A pickle that leaves a mark where it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def saved(held: object) -> bytes:
    """A file with a right digest, whatever it holds."""
    content = io.BytesIO()
    torch.save(held, content)
    return hashlib.sha256(content.getvalue()).digest() + content.getvalue()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoint.pt", "network", STATE)
    state = read_checkpoint(tmp_path / "checkpoint.pt", "network")
    assert state is not None
    assert state["curve"] == STATE["curve"]
    assert torch.equal(state["network"]["weight"], torch.arange(4.0))
    assert read_checkpoint(tmp_path / "checkpoint.pt", "another") is None


def test_no_bit_of_it_may_be_changed(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    write_checkpoint(file, "network", STATE)
    sound = file.read_bytes()
    for at in range(0, len(sound), 7):
        file.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        assert read_checkpoint(file, "network") is None


@pytest.mark.parametrize(
    "held",
    [
        {"identity": "network"},
        {"identity": "network", "state": None},
        {"identity": "network", "state": [1]},
        ["network"],
        "network",
    ],
)
def test_one_that_holds_no_state_is_none(held: object, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(saved(held))
    assert read_checkpoint(tmp_path / "checkpoint.pt", "network") is None


def test_one_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "run"
    held = {"identity": "network", "state": Payload(mark)}
    (tmp_path / "checkpoint.pt").write_bytes(saved(held))
    assert read_checkpoint(tmp_path / "checkpoint.pt", "network") is None
    assert not mark.exists()


def test_a_folder_or_pipe_in_its_place_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert read_checkpoint(tmp_path / "pipe", "network") is None
    assert read_checkpoint(tmp_path, "network") is None
