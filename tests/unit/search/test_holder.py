"""Who has a study: refusals by name, the dead, and taking over."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mbnas.errors import StudyError
from mbnas.search.holder import (
    HOLDER_FILE,
    Holder,
    Process,
    held_folder,
    read_holder,
    write_holder,
)

BUSY = "another command is at work on this study"
HOLD = """
import sys, time
from pathlib import Path
from mbnas.search.holder import held_folder
with held_folder(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(3600)
"""


def elsewhere(folder: Path) -> Holder:
    """A holder on another host, who never gave the folder back."""
    with held_folder(folder, BUSY) as held:
        process = replace(held.holder.process, host="node-17", pid=4711)
    holder = replace(held.holder, process=process, token="another")
    write_holder(folder, holder)
    return holder


def test_a_holder_is_known_while_it_holds_and_gone_after(tmp_path: Path) -> None:
    with held_folder(tmp_path, BUSY) as held:
        there = read_holder(tmp_path)
        assert there == held.holder
        assert there.process == Process.this()
        held.check()
    assert read_holder(tmp_path) is None


def test_a_second_one_is_refused_with_the_first_ones_host_and_process(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    wanted = rf"{BUSY} \(process {other.pid} on {platform.node()}, since .* UTC\)"
    for take_over in (False, True):  # of this host nothing is taken that is alive
        with (
            pytest.raises(StudyError, match=wanted),
            held_folder(tmp_path, BUSY, take_over=take_over),
        ):
            pass
    other.kill()
    other.communicate()
    assert read_holder(tmp_path) is not None, "a kill leaves it"
    with held_folder(tmp_path, BUSY) as held:  # seen as dead
        assert held.holder.process.pid == os.getpid()


def test_one_of_another_host_is_taken_only_when_told(tmp_path: Path) -> None:
    elsewhere(tmp_path)
    refused = [
        (False, r"take the folder with --take-over"),
        (None, r"remove holder.json and .lock"),
    ]
    for take_over, mend in refused:
        with (
            pytest.raises(StudyError, match=rf"process 4711 on node-17.* is dead, {mend}"),
            held_folder(tmp_path, BUSY, take_over=take_over),
        ):
            pass
    with held_folder(tmp_path, BUSY, take_over=True) as held:
        assert read_holder(tmp_path) == held.holder


def test_who_was_taken_over_has_no_say_any_more(tmp_path: Path) -> None:
    with held_folder(tmp_path, BUSY) as held:
        other = replace(held.holder, process=Process("node-18", 12, 0.0), token="another")
        write_holder(tmp_path, other)
        with pytest.raises(StudyError, match=r"was taken over by process 12 on node-18"):
            held.check()
    assert read_holder(tmp_path) == other, "what is another's is left"


def test_who_was_taken_over_has_no_say_once_the_other_has_ended(tmp_path: Path) -> None:
    with held_folder(tmp_path, BUSY) as held:
        held.check()
        (tmp_path / HOLDER_FILE).unlink()
        with pytest.raises(StudyError, match="was taken over, and given back since"):
            held.check()


def test_a_number_used_again_by_another_process_is_not_the_holder(tmp_path: Path) -> None:
    with held_folder(tmp_path, BUSY) as held:
        began = held.holder.process.process_began
    write_holder(
        tmp_path, replace(held.holder, process=replace(Process.this(), process_began=began - 3600))
    )
    with held_folder(tmp_path, BUSY) as again:
        assert read_holder(tmp_path) == again.holder


def test_a_damaged_holder_file_is_none(tmp_path: Path) -> None:
    (tmp_path / HOLDER_FILE).write_text('{"process": 3}')
    assert read_holder(tmp_path) is None
    with held_folder(tmp_path, BUSY):
        pass


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StudyError, match="cannot be written"), held_folder(file / "study", BUSY):
        pass


def test_a_process_knows_itself() -> None:
    assert Process.this().is_alive_here
    assert not replace(Process.this(), host="node-17").is_alive_here
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    process = Process(platform.node(), child.pid, time.time())
    child.wait()
    assert not process.is_alive_here
