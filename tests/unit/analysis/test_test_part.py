"""What networks reached on a test part, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import some_architectures, tiny_space

from mbnas.analysis import test_part
from mbnas.errors import StudyError
from mbnas.network import Architecture
from mbnas.testing import FakeTester

NAME = "one-0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (network,) = some_architectures(tiny_space(), 1)
    test_part.open_test_part(
        tmp_path, {NAME: (network, dict)}, FakeTester, lambda _: None, lambda _, __: None
    )
    return tmp_path


def test_what_is_read_back_is_what_was_hit(folder: Path) -> None:
    (network,) = some_architectures(tiny_space(), 1)
    found = test_part.test_results(folder)
    assert found is not None
    tester = FakeTester()
    hits = tester.hits(network, {})
    assert np.array_equal(found.hits[NAME], hits)
    by_class = [hits[tester.labels == label].mean() for label in set(tester.labels)]
    assert found.accuracy(NAME, "balanced_accuracy") == pytest.approx(np.mean(by_class))


def test_a_later_opening_hides_nothing_of_the_first(tmp_path: Path) -> None:
    networks = some_architectures(tiny_space(), 2)

    class Breaks(FakeTester):
        def hits(self, *of: Any) -> Any:
            raise KeyboardInterrupt

    def opened(tester: FakeTester, *networks: Architecture) -> None:
        wanted = {f"{one.id}-0": (one, dict) for one in networks}
        test_part.open_test_part(
            tmp_path, wanted, lambda: tester, lambda _: None, lambda _, __: None
        )

    with pytest.raises(KeyboardInterrupt):
        opened(Breaks(), networks[0])
    assert test_part.test_results(tmp_path) is None
    opened(FakeTester(), networks[0])
    with pytest.raises(KeyboardInterrupt):
        opened(Breaks(), *networks)
    found = test_part.test_results(tmp_path)
    assert found is not None
    files = [tmp_path / f"{one.id}-0.safetensors" for one in networks]
    assert (found.has(files[:1]), found.has(files)) == (True, False)


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (1, "damaged at hits: .*padding"),
        (4, f"damaged at hits: .*those of {NAME} are not a bit for each of 500 labels"),
    ],
)
def test_hits_with_characters_lost_are_told(lost: int, words: str, folder: Path) -> None:
    file = folder / test_part.TEST_FILE
    content = json.loads(file.read_text())
    content["hits"][NAME] = content["hits"][NAME][lost:]
    file.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=words) as error:
        test_part.test_results(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", [-1, 2**64])
def test_labels_that_no_class_has_are_told(label: int, folder: Path) -> None:
    file = folder / test_part.TEST_FILE
    content = json.loads(file.read_text())
    content["labels"][3] = label
    file.write_text(json.dumps(content))
    with pytest.raises(StudyError, match=r"damaged at labels\.3: "):
        test_part.test_results(folder)
