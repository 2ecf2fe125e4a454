"""The files of a folder or of a zip, seen alike."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mbnas.errors import DataError

MOST_BYTES = 2**28
"""Of one image's file: what a zip unpacks to more than that is a bomb, and no photo."""
# What zipfile raises for bytes that are no whole zip, or one of a kind that it does not know.
_BROKEN_ZIP = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class Tree:
    """What a folder or zip holds, by paths with "/" relative to its top, sorted.

    Attributes:
        path: The folder or zip.
        files: Each file with a mark that files of equal bytes share.
        folders: Every folder below the top, empty ones too.
        prefix: What stands between the path and the top.
    """

    path: Path
    files: dict[str, Hashable]
    folders: frozenset[str]
    prefix: str = ""

    def below(self, top: str) -> Tree:
        """The part of the tree inside one of its folders."""
        inside = f"{top}/"
        return Tree(
            path=self.path,
            files={
                name.removeprefix(inside): mark
                for name, mark in self.files.items()
                if name.startswith(inside)
            },
            folders=frozenset(
                name.removeprefix(inside) for name in self.folders if name.startswith(inside)
            ),
            prefix=self.prefix + inside,
        )

    @contextmanager
    def opened(self) -> Iterator[Callable[[str], bytes]]:
        """Yields a function from a file's name to its bytes, fit for use by several threads."""
        if self.path.is_dir():
            yield lambda name: _read_file(self.path / (self.prefix + name))
        else:
            # zipfile itself locks its one handle around each read.
            with zipfile.ZipFile(self.path) as archive:
                yield lambda name: _read_member(archive, self.prefix + name)


def list_tree(spec: str, path: Path) -> Tree:
    """Lists a folder or a zip, without what operating systems leave behind in them.

    Raises:
        DataError: There is nothing at the path, or it is neither a folder nor a sound zip, or it
            holds names that are no text.
    """
    try:
        if not path.exists():
            raise DataError(f"{spec}: {path} is not there; give a folder or a zip of class folders")
        files, folders = _list_folder(spec, path) if path.is_dir() else _list_zip(spec, path)
    except _BROKEN_ZIP as fault:
        raise DataError(
            f"{spec}: {path} is no zip, or a damaged one ({fault}); copy it again or give a folder"
        ) from fault
    except OSError as fault:
        raise DataError(f"{spec}: {path} cannot be listed ({fault}); mend its access") from fault
    for name in (*sorted(folders), *files):
        if not name.isascii() and _is_no_text(name):
            raise DataError(f"{spec}: {path} holds {name!r}, a name that is not UTF-8; rename it")
    # A zip need not list its folders by themselves.
    holding = {name.rpartition("/")[0] for name in files} | folders
    folders = {str(folder) for name in holding for folder in (name, *PurePosixPath(name).parents)}
    return Tree(
        path=path,
        files={name: files[name] for name in sorted(files) if not _is_litter(name)},
        folders=frozenset(name for name in folders if name and not _is_litter(name)),
    )


def _is_no_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


def _list_folder(spec: str, path: Path) -> tuple[dict[str, Hashable], set[str]]:
    def refuse(fault: OSError) -> None:
        raise fault

    files: dict[str, Hashable] = {}
    folders: set[str] = set()
    around: dict[str, tuple[Path, ...]] = {
        str(path): (path.resolve(),)
    }  # of each folder, the folders that it stands in
    # Class folders are often links to where the images really lie.
    for place, below, names in os.walk(path, onerror=refuse, followlinks=True):
        here = PurePosixPath(Path(place).relative_to(path).as_posix())
        for name in below:
            inner = Path(place, name)
            if (real := inner.resolve()) in around[place]:
                raise DataError(
                    f"{spec}: {inner} leads back to a folder around it; remove the link"
                )
            around[os.path.join(place, name)] = (*around[place], real)  # noqa: PTH118 - as walk names it
        folders |= {str(here / name) for name in below}
        for name in names:
            file = Path(place, name)
            # A dangling link is told as an unreadable image, not as a fault of the whole folder.
            files[str(here / name)] = file.stat().st_size if file.exists() else None
    return files, folders


def _list_zip(spec: str, path: Path) -> tuple[dict[str, Hashable], set[str]]:
    files: dict[str, Hashable] = {}
    folders: set[str] = set()
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.flag_bits & 1:
                raise DataError(f"{spec}: {path} is encrypted; give an open zip or a folder")
            if entry.is_dir():
                folders |= {entry.filename.rstrip("/")}
            else:
                files[entry.filename] = (entry.file_size, entry.CRC)
    return files, folders


def _read_file(file: Path) -> bytes:
    # A pipe would be waited for, and a device need not end.
    if file.exists() and not file.is_file():
        raise ValueError("not a file")
    _check_size(file.stat().st_size)
    return file.read_bytes()


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    _check_size(archive.getinfo(name).file_size)  # no more than that is unpacked
    return archive.read(name)


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise ValueError(f"{size:,} bytes; an image file has at most {MOST_BYTES:,}")


def _is_litter(name: str) -> bool:
    return any(step.startswith(".") or step == "__MACOSX" for step in name.split("/"))
