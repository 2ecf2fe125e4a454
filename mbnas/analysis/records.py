"""Reading and writing the JSON files in which audits and contests keep what they are and found."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mbnas.errors import MbnasError, StudyError
from mbnas.files import write_atomically

_Model = TypeVar("_Model", bound=BaseModel)


def read_file(kind: type[_Model], file: Path, mend: str = "") -> _Model:
    """What a file holds.

    Args:
        kind: Of what.
        file: Which.
        mend: What to do where it is damaged, such as `delete it to train again`.

    Raises:
        StudyError: it cannot be read, or is damaged.
    """
    try:
        return kind.model_validate_json(file.read_bytes())
    except OSError as error:
        raise StudyError(f"{file}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its text"
        then = f"; {mend}" if mend else ""
        raise StudyError(f"{file}: damaged at {where}: {first['msg']}{then}") from None
    except MbnasError as error:  # what a recipe says of its own fields
        raise StudyError(f"{file}: damaged: {error}") from None


def write_file(file: Path, content: BaseModel) -> None:
    """Writes a file, and the folder that it lies in.

    Raises:
        StudyError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content.model_dump_json(indent=1).encode())
    except OSError as error:
        raise StudyError(f"{file}: cannot be written ({error.strerror})") from None
