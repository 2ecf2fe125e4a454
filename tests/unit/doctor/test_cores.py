from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from mbnas.doctor import cores, limits
from mbnas.measure.cores import usable_cores

Write = Callable[..., None]


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Control groups of a container: the process's own line, and files below the mount."""
    monkeypatch.setattr(limits, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(limits, "MOUNTED", tmp_path / "cgroup")

    def write(own: str, **files: str) -> None:
        (tmp_path / "own").write_text(own)
        for name, content in files.items():
            file = tmp_path / "cgroup" / name.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)

    return write


def test_the_quota_of_a_group_or_of_one_that_holds_it(groups: Write) -> None:
    groups(
        "0::/pod/container\n",
        pod__cpu_DOT_max="150000 100000\n",
        pod__container__cpu_DOT_max="max 100000\n",
    )
    assert limits.cpu_quota() == 1.5
    groups("4:cpu,cpuacct:/docker/1\n", cpu__cpu_DOT_cfs_quota_us="-1\n")
    assert limits.cpu_quota() is None
    groups("4:cpu:/\n", cpu__cpu_DOT_cfs_quota_us="50000", cpu__cpu_DOT_cfs_period_us="100000")
    assert limits.cpu_quota() == 0.5


def test_memory_is_what_the_container_leaves(groups: Write) -> None:
    groups(
        "0::/\n",
        memory_DOT_max=str(2**30),
        memory_DOT_current=str(2**29),
        memory_DOT_stat=f"anon 5\ninactive_file {2**20}\n",
    )
    assert limits.available_bytes() == 2**29 + 2**20
    groups("0::/\n", memory_DOT_max="max\n")
    assert limits.available_bytes() > 0


def test_no_groups_no_limits(groups: Write) -> None:
    assert limits.cpu_quota() is None
    assert limits.available_bytes() > 0


def test_a_quota_is_worth_a_note_and_one_below_a_core_a_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(cores, "cpu_quota", lambda: 1.5)
    assert [one.state for one in cores.cores()][1:] == ["note"]
    monkeypatch.setattr(cores, "cpu_quota", lambda: 0.5)
    found = cores.cores()[1]
    assert found.state == "fault"
    assert "--cpuset-cpus" in str(found.mend)
    monkeypatch.setattr(cores, "cpu_quota", lambda: None)
    assert len(cores.cores()) == 1


def test_hyperthreads_are_not_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: [0, 1])
    monkeypatch.setattr(cores, "cpu_quota", lambda: None)
    monkeypatch.setattr(cores, "with_hyperthreads", lambda _: {0, 1})
    (found,) = cores.cores()
    assert found.state == "note"
    assert "hyperthreads of 1 physical" in found.said


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Write:
    """Files of the system on its processors."""
    monkeypatch.setattr(cores, "PROCESSORS", tmp_path)
    monkeypatch.setattr(cores, "usable_cores", lambda: [0, 1])
    monkeypatch.setattr(cores, "_battery", lambda: None)

    def write(file: str, content: str) -> None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(content)

    return write


def test_the_governor_of_every_core(processors: Write) -> None:
    (found,) = cores.clock()
    assert (found.state, found.mend) == ("note", None)
    assert "cannot be read" in found.said
    processors("cpu0/cpufreq/scaling_governor", "performance\n")
    processors("cpu1/cpufreq/scaling_governor", "performance\n")
    assert [one.state for one in cores.clock()] == ["well"]
    processors("cpu1/cpufreq/scaling_governor", "powersave\n")
    (found,) = cores.clock()
    assert found.said == "performance on 1 core(s), powersave on 1 core(s)"
    assert "frequency-set -g performance" in str(found.mend)


def test_turbo_where_it_can_be_read(processors: Write) -> None:
    processors("intel_pstate/no_turbo", "0\n")
    found = cores.clock()[1]
    assert found.state == "note"
    assert "echo 1 | sudo tee" in str(found.mend)
    processors("intel_pstate/no_turbo", "1\n")
    assert cores.clock()[1].state == "well"


def test_a_laptop_on_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    battery = SimpleNamespace(percent=41.6, power_plugged=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    found = cores.clock()[-1]
    assert (found.what, found.state) == ("power", "note")
    battery.power_plugged = True
    assert cores.clock()[-1].what != "power"


def test_pinning_is_tried_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = usable_cores()
    assert cores.pinned().what == "pinning"
    assert usable_cores() == before
    monkeypatch.setattr(cores, "core_groups", lambda _: [[100_000]])  # refused, as by a container
    found = cores.pinned()
    assert found.state == "note"
    assert usable_cores() == before
