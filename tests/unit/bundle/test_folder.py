"""How a bundle takes its place, and what it may take the place of."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbnas.bundle.folder import FILES, LITTER, aside, check_target
from mbnas.errors import ExportError


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A bundle that stands where the next one goes."""
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "CARD.md").write_text("earlier")
    return target


def write(target: Path) -> None:
    with aside(target) as fresh:
        (fresh / "CARD.md").write_text("fresh")


def test_a_bundle_takes_the_place_of_an_earlier_one(earlier: Path) -> None:
    write(earlier)
    assert (earlier / "CARD.md").read_text() == "fresh"
    assert list(earlier.parent.iterdir()) == [earlier]


@pytest.mark.parametrize("name", [*FILES, *LITTER])
def test_what_a_bundle_or_a_file_manager_left_may_go(name: str, earlier: Path) -> None:
    (earlier / name).touch()
    check_target(earlier)


def test_what_is_anyone_elses_may_not(earlier: Path) -> None:
    (earlier / LITTER[0]).touch()
    (earlier / "notes.txt").touch()
    with pytest.raises(ExportError, match=r"holds other things \(notes\.txt, \.\.\.\)"):
        check_target(earlier)


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "bundle"
    with pytest.raises(ExportError, match=f"{target}: cannot be written"):
        write(target)


def test_a_fault_inside_keeps_its_name(earlier: Path) -> None:
    with pytest.raises(OSError, match="/tmp is full"), aside(earlier):
        raise OSError(28, "/tmp is full")
    assert (earlier / "CARD.md").read_text() == "earlier"
    assert list(earlier.parent.iterdir()) == [earlier]


def test_an_earlier_bundle_comes_back_where_the_new_one_cannot_take_its_place(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if self.name == "bundle" and self != earlier:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    words = f"{earlier}: cannot be written \\(No space left on device\\)"
    with pytest.raises(ExportError, match=words):
        write(earlier)
    assert (earlier / "CARD.md").read_text() == "earlier"
    assert list(earlier.parent.iterdir()) == [earlier]
