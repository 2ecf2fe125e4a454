"""A confirmation that was broken off, or that more networks join: nothing is done twice or lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT
from integration.contests import NAMES, Varied, confirm, files, searched

import mbnas
from mbnas.errors import BuildError, StudyError
from mbnas.report.contest_words import confirmation_said
from mbnas.search import Study, open_study
from mbnas.testing import FakeLatencyMeter, FakeTester, FakeTrainer
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Assignment, OutOfMemoryError


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return searched(tmp_path)


def test_a_kill_amid_the_tests_opens_nothing_anew(study: Study) -> None:
    class Breaks(FakeTester):
        def hits(self, *of: Any) -> Any:
            if len(self.tested) == 3:
                raise KeyboardInterrupt
            return super().hits(*of)

    with pytest.raises(KeyboardInterrupt):
        confirm(study, seeds=2, tester=Breaks)
    assert mbnas.open_confirmation(study) is None
    tester = FakeTester()
    found = confirm(study, seeds=2, tester=lambda: tester)
    assert len(tester.tested) == 2 * len(found.networks) - 3
    assert len(found.openings) == len(open_study(study.folder.path).record.test_openings) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": Recipe(epochs=6), "trainer": Varied(epochs=6)}, "epochs: 5 there, 6 now"),
        ({"seeds": 4}, "seeds: 2 there, 4 now"),
        ({"meter": FakeLatencyMeter(threads=2)}, "another threads"),
    ],
)
def test_other_settings_are_not_mixed_in(study: Study, changes: Any, said: str) -> None:
    confirm(study, seeds=2)
    before = files(study)
    with pytest.raises(StudyError, match=said):
        confirm(study, **{"seeds": 2, **changes})
    assert files(study) == before


def test_a_command_that_trained_nothing_binds_nobody(study: Study) -> None:
    with pytest.raises(BuildError):
        confirm(study, trainer=None, device="foo", baselines=NAMES)
    found = confirm(study, recipe=Recipe(epochs=4), trainer=Varied(4), seeds=1, baselines=NAMES[:1])
    assert [one.name for one in found.networks if one.trial is None] == ["mobilenet_v2 ×0.35"]
    with pytest.raises(StudyError, match="epochs: 4 there, 5 now"):
        confirm(study, seeds=1)


def test_a_confirmation_that_goes_on_keeps_what_was_confirmed(study: Study) -> None:
    before = confirm(study, seeds=2, near=0, baselines=NAMES[:1])
    picked = mbnas.pick(study, "knee")

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    class Breaks(FakeTester):
        def hits(self, *of: Any) -> Any:
            if len(self.tested) == 3:
                raise KeyboardInterrupt
            return super().hits(*of)

    def interrupted(**changes: Any) -> mbnas.Confirmation:
        with pytest.raises(KeyboardInterrupt):
            confirm(study, seeds=2, near=2, baselines=NAMES, **changes)
        found = mbnas.open_confirmation(study)
        assert found is not None
        return found

    found = interrupted(trainer=FakeTrainer(5, before=stop))
    assert (found.networks, found.versus) == (before.networks, before.versus)
    assert [one.trial is None for one in found.missing] == [False, False, True]
    assert found.missing_members == 0
    assert mbnas.pick(study, "knee") == picked
    assert "3 networks are still missing" in confirmation_said(found)
    assert "3 networks are still missing" in mbnas.write_report(study).read_text()
    found = interrupted(tester=Breaks)  # amid the second of three
    assert len(found.networks) == len(before.networks) + 1
    assert len(found.missing) == 2
    found = confirm(study, seeds=2, near=2, baselines=NAMES)
    assert len(found.networks) == len(before.networks) + 3
    assert found.missing == ()
    assert "still" not in confirmation_said(found)


def test_a_member_that_is_yet_to_come_is_counted(study: Study) -> None:
    first = Study(study.folder, study.record, study.space, study.trials[:4])
    before = confirm(first, seeds=1, near=0)

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm(study, seeds=1, near=0, trainer=FakeTrainer(5, before=stop))
    found = mbnas.open_confirmation(study)
    assert found is not None
    come = {one.number for one in study.front} - {one.number for one in first.front}
    assert {one.trial for one in found.missing} == come
    assert found.missing_members == len(come) > 0
    assert f"Of {len(study.front)} members of the front" in confirmation_said(found)
    for one in before.networks:
        now = found.of_trial(one.trial or 0)
        assert now is not None
        assert (now.validation, now.test, now.cost) == (one.validation, one.test, one.cost)
        assert now.place_now == one.place_now


def test_what_failed_for_want_of_memory_is_trained_again(study: Study) -> None:
    bad = study.front[-1].architecture.id

    def fills(network: Any) -> None:
        if network.id == bad:
            raise OutOfMemoryError("training on cuda: <out of memory>")

    found = confirm(study, seeds=2, near=0, trainer=FakeTrainer(5, before=fills))
    assert found.failed_members == 1
    assert found.networks
    said = confirmation_said(found)
    assert f"Of {len(study.front)} members of the front" in said
    assert "1 failed to train" in said
    page = mbnas.write_report(study).read_text()
    assert "failed: training on cuda: &lt;out of memory&gt;" in page
    trainer = Varied(epochs=5)
    found = confirm(study, seeds=2, near=0, trainer=trainer)
    assert trainer.trained == [bad, bad]
    assert found.failed == ()
    assert len(found.networks) == len(study.front)
    assert len(found.openings) == 2


# A search that is to be killed does not end before it is, however late that comes.
KILLED = """
import sys, time
sys.path[:0] = ["tests"]
from integration.contests import confirm, files, Varied
from mbnas.search import open_study

study, most = open_study(sys.argv[1]), int(sys.argv[2])

def wait_to_be_killed(_):
    if len(files(study)) >= most:
        time.sleep(3600)

trainer = Varied(5, seconds_per_epoch=0.02, before=wait_to_be_killed)
confirm(study, seeds=2, trainer=trainer)
"""
KILLS = 2


def test_killed_at_random_it_goes_on_and_trains_nothing_twice(study: Study) -> None:
    rng = random.Random(0)
    seen: dict[str, float] = {}
    kills = 0
    while True:
        before, more = len(files(study)), rng.randint(1, 2)
        most = before + more + 1 if kills < KILLS else sys.maxsize
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(study.folder.path), str(most)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while process.poll() is None and len(files(study)) < before + more:
            pass
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        _, errors = process.communicate()
        now = files(study)
        assert seen.items() <= now.items(), "what was done is not done again"
        seen = now
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0, errors.decode()
            break
    assert kills >= KILLS
    assert len(seen) > KILLS * 3, "none of these could end before it was killed"
    found = mbnas.open_confirmation(study)
    assert found is not None
    assert len(seen) == 2 * len(found.networks)
    for one in found.networks:
        for run in one.contested.runs:
            whole = Varied(5).train(
                Assignment(one.contested.contender.network, run.seed), lambda _: None
            )
            assert [epoch.accuracy for epoch in run.curve] == [
                epoch.accuracy for epoch in whole.curve
            ]
