"""Files are written whole or not at all; what is no file stays what it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mbnas.files import write_atomically


def test_a_file_is_replaced_and_nothing_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for content in (b"one", b"other"):
        write_atomically(file, content)
        assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"  # as /dev/null, which root could have replaced
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"content")
        assert pipe.is_fifo()
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path, b"")
