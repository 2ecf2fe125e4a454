"""A study's folder with damaged members: what may be done to one, and cheap copies of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from property.damage import NASTY, damaged_bytes, damaged_json, damaged_text, deep, recoded


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing done to one member of a study.

    Attributes:
        member: Its path in the study's folder.
        what: What is done, in words.
        do: Does it to the file.
    """

    member: str
    what: str
    do: Callable[[Path], None]


class Members:
    """A sound study's files, of which copies are damaged."""

    def __init__(self, sound: Path) -> None:
        self.sound = sound
        files = sorted(file for file in sound.rglob("*") if file.is_file())
        self.names = [str(file.relative_to(sound)) for file in files]
        self.contents = [file.read_bytes() for file in files]

    def copied(self, target: Path, damages: Sequence[Damage]) -> None:
        """A damaged copy in place of what stands there."""
        copied(self.sound, target)
        for damage in damages:
            # A member may be gone already, by an earlier damage.
            with contextlib.suppress(OSError, sqlite3.Error, LookupError, UnicodeError):
                damage.do(target / damage.member)

    def damage(self, rng: random.Random) -> Damage:
        """Something done to a member, rather one that is read than a large one."""
        weights = [1.0 if "/" in name else 8.0 for name in self.names]
        at = rng.choices(range(len(self.names)), weights)[0]
        member, content = self.names[at], self.contents[at]
        text = content.decode(errors="replace")
        seed = rng.random()
        inner = random.Random(seed)
        kind = rng.randrange(12)
        if member.endswith(".json") and kind < 6:
            return _text(member, "values", damaged_json(inner, text))
        if member.endswith(".db") and kind < 6:
            return Damage(member, "a row", lambda file: change_row(file, random.Random(seed)))
        if kind < 8 and member.endswith((".json", ".toml")):
            return _text(member, "words", damaged_text(inner, text))
        if kind < 9:
            return Damage(member, "bytes", _writing(damaged_bytes(inner, content, self.contents)))
        if kind == 9 and member.endswith((".json", ".toml")):
            other = inner.choice((recoded(inner, text), deep(inner).encode()))
            return Damage(member, "another encoding, or deep", _writing(other))
        if kind == 10:
            return Damage(member, "another member", _writing(inner.choice(self.contents)))
        return inner.choice(_REPLACED)(member)


def change_row(file: Path, rng: random.Random) -> None:
    """Changes, doubles or removes a row of the database, or drops a table."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        table = rng.choice(names)
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        rows = [row[0] for row in connection.execute(f'SELECT rowid FROM "{table}"')]
        connection.execute("PRAGMA ignore_check_constraints=1")
        match rng.randrange(8):
            case 0:
                connection.execute(f'DROP TABLE "{table}"')
            case 1:
                connection.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (rng.choice(rows),))
            case 2:
                connection.execute(f'DELETE FROM "{table}"')
            case _:
                value = rng.choice(NASTY)
                if not isinstance(value, (str, int, float, type(None))) or rng.random() < 0.2:
                    value = json.dumps(value)
                if isinstance(value, int) and abs(value) >= 2**63:
                    value = str(value)[:1000]
                connection.execute(
                    f'UPDATE "{table}" SET "{rng.choice(columns)}" = ? WHERE rowid = ?',
                    (value, rng.choice(rows)),
                )


def _text(member: str, what: str, text: str) -> Damage:
    return Damage(member, what, _writing(text.encode(errors="replace")))


def _writing(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.unlink()
        file.write_bytes(content)

    return write


def _as_folder(member: str) -> Damage:
    def do(file: Path) -> None:
        file.unlink()
        file.mkdir()

    return Damage(member, "a folder in its place", do)


def _as_link(member: str) -> Damage:
    def do(file: Path) -> None:
        file.unlink()
        file.symlink_to(file.name)

    return Damage(member, "a link to itself", do)


def _as_dangling(member: str) -> Damage:
    def do(file: Path) -> None:
        file.unlink()
        file.symlink_to("nowhere")

    return Damage(member, "a link to nothing", do)


def _as_nothing(member: str) -> Damage:
    return Damage(member, "removed", lambda file: file.unlink())


def _parent_as_file(member: str) -> Damage:
    def do(file: Path) -> None:
        if file.parent.name != "study":
            shutil.rmtree(file.parent)
            file.parent.write_bytes(b"")

    return Damage(member, "its folder is a file", do)


def _parent_renamed(member: str) -> Damage:
    def do(file: Path) -> None:
        if file.parent.name != "study":
            name = random.Random(member).choice(("99999", "9" * 30, "1", "x", "-1", "٣"))
            file.parent.rename(file.parent.with_name(name))

    return Damage(member, "its folder has another name", do)


_REPLACED = (
    _as_folder,
    _as_link,
    _as_dangling,
    _as_nothing,
    _parent_as_file,
    _parent_renamed,
    _as_nothing,
)


def copied(source: Path, target: Path) -> None:
    """A copy whose files may be replaced, but not written into, by hard links; databases whole."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    shutil.rmtree(target, ignore_errors=True)
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir()
        for name in names:
            link = shutil.copy2 if name.startswith("study.db") else os.link
            link(Path(folder, name), there / name)
