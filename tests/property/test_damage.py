"""Damaged files of every kind: used as if they were sound, or refused in a line that names them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import some_architectures, tiny_space
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.studies import fake_search
from property.damage import damaged_bytes, damaged_json, damaged_text, deep, recoded
from property.damaged_studies import Members

import mbnas
from mbnas.errors import MbnasError
from mbnas.search.steering import read_progress, read_wish
from mbnas.search.watched import WatchedStudy
from mbnas.training.checkpoint import read_checkpoint

SPACES = [
    file.read_text()
    for file in sorted((Path(__file__).parents[2] / "search_spaces").glob("*.toml"))
]
RECIPE = '[recipe]\nepochs = 8\nrungs = [2, 4]\noptimizer = "sgd"\nmixup = 0.2\nflip = true\n'
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="session")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """A sound study of a few trials."""
    folder = tmp_path_factory.mktemp("sound") / "study"
    fake_search(folder).run(trials=4)
    (folder / "wish.json").write_text('{"wish": "pause"}')
    return Members(folder)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where damaged files are written, one after another."""
    return tmp_path_factory.mktemp("damaged")


def told(work: Callable[[], Any], file: Path) -> Any:
    """What comes of it, or None where one line that names the file says why nothing does."""
    try:
        return work()
    except MbnasError as error:
        message = str(error)
    assert str(file) in message
    assert len(message.splitlines()) == 1
    assert len(message) < 1000
    return None


def damaged_toml(rng: random.Random, text: str) -> bytes:
    match rng.randrange(6):
        case 0:
            return damaged_bytes(rng, text.encode())
        case 1:
            return recoded(rng, text)
        case 2:
            return f"name = {deep(rng)}\n{text}".encode()
    return damaged_text(rng, text, SPACES).encode(errors="replace")


@given(seeds)
@settings(max_examples=150)
def test_space_files(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    file = place / "space.toml"
    file.write_bytes(damaged_toml(rng, rng.choice(SPACES)))
    space = told(lambda: mbnas.load_space(file), file)
    if space is not None:
        space.architecture(space.sample(rng)).describe()


@given(seeds)
@settings(max_examples=100)
def test_recipe_files(place: Path, seed: int) -> None:
    file = place / "recipe.toml"
    file.write_bytes(damaged_toml(random.Random(seed), RECIPE))
    told(lambda: mbnas.load_recipe(file), file)


@given(seeds)
@settings(max_examples=100)
def test_architecture_files(place: Path, seed: int) -> None:
    rng = random.Random(seed)
    file = place / "architecture.json"
    text = some_architectures(tiny_space(), 1)[0].to_json()
    file.write_text(damaged_json(rng, text), errors="replace")
    network = told(lambda: mbnas.open_network(file, classes=2), file)
    assert network is None or network.architecture is not None


@given(seeds)
@settings(max_examples=150)
def test_study_folders(members: Members, place: Path, seed: int) -> None:
    rng = random.Random(seed)
    folder = place / "study"
    members.copied(folder, [members.damage(rng) for _ in range(rng.choice((1, 1, 2)))])
    told(lambda: read_progress(folder), folder)
    told(lambda: mbnas.pause_search(folder), folder)
    read_wish(folder / "wish.json")
    WatchedStudy(folder).look()
    study = told(lambda: mbnas.open_study(folder), folder)
    if study is not None:
        assert len(study.to_dataframe()) == len(study.trials)
        assert study.hypervolume >= 0
        assert study.savings.epochs >= 0


@given(seeds)
@settings(max_examples=6)
def test_reports_of_damaged_studies(members: Members, place: Path, seed: int) -> None:
    folder = place / "study"
    members.copied(folder, [members.damage(random.Random(seed))])
    told(lambda: mbnas.write_report(mbnas.open_study(folder)), folder)


@given(seeds)
@settings(max_examples=8)
def test_damaged_studies_that_go_on(members: Members, place: Path, seed: int) -> None:
    folder = place / "study"
    members.copied(folder, [members.damage(random.Random(seed))])
    study = told(lambda: fake_search(folder).run(trials=5), folder)
    assert study is None or study.trials


class Payload:
    """A pickle that leaves a mark where it is run."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def as_pickle(payload: Payload) -> bytes:
    return pickle.dumps(payload)


def as_torch(payload: Payload) -> bytes:
    content = io.BytesIO()
    torch.save({"identity": "network", "state": payload}, content)
    return content.getvalue()


def as_checkpoint(payload: Payload) -> bytes:
    content = as_torch(payload)
    return hashlib.sha256(content).digest() + content


def uses(folder: Path, file: Path) -> list[Callable[[], Any]]:
    """What reads members of a study."""
    return [
        lambda: read_progress(folder),
        lambda: mbnas.export(mbnas.open_study(folder), folder.with_name("bundle"), "trial:0"),
        lambda: fake_search(folder).run(trials=5),
        lambda: mbnas.open_network(file),
        lambda: read_checkpoint(file, "network"),
    ]


FORMS = [as_pickle, as_torch, as_checkpoint]


@pytest.mark.parametrize("form", FORMS)
def test_no_member_of_a_study_is_ever_run(
    form: Callable[[Payload], bytes], members: Members, place: Path
) -> None:
    """Whatever lies where a member should, nothing that it holds is executed."""
    mark, folder = place / "run", place / "study"
    content = form(Payload(mark))
    kinds = {Path(name).name: name for name in members.names}
    first = next(name for name in members.names if name.endswith("result.json"))
    for heavy in ("checkpoint.pt", "weights.safetensors", "model.onnx"):
        kinds.setdefault(heavy, str(Path(first).with_name(heavy)))
    for name in kinds.values():
        members.copied(folder, [])
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(content)
        for use in uses(folder, folder / name):
            with contextlib.suppress(MbnasError):
                use()
            assert not mark.exists(), name


def test_the_payload_would_leave_its_mark(tmp_path: Path) -> None:
    pickle.loads(as_pickle(Payload(tmp_path / "run")))
    assert (tmp_path / "run").exists()
