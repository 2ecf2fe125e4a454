"""Trainings that go on where they were broken off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import some_architectures, tiny_space

from mbnas.analysis.trainings import Trainings, Wanted
from mbnas.engine import Engine, LocalEngine, PackedEngine
from mbnas.errors import StudyError
from mbnas.network import Architecture
from mbnas.testing import FakeLatencyMeter, FakeTrainer, fake_accuracy
from mbnas.training.trainer import Epoch, NonFiniteLossError, OutOfMemoryError


def wanted(count: int = 3) -> list[Wanted]:
    some = some_architectures(tiny_space(), count)
    return [Wanted(one, seed) for one in some for seed in (0, 1)]


def local(trainer: FakeTrainer) -> Engine:
    return LocalEngine(trainer, FakeLatencyMeter(), classes=10)


def packed(trainer: FakeTrainer) -> Engine:
    return PackedEngine(trainer, FakeLatencyMeter(), classes=10, pack=2)


@pytest.mark.parametrize("make", [local, packed])
def test_all_are_done_and_told_in_the_order_wanted(make: object, tmp_path: Path) -> None:
    trainer = FakeTrainer()
    done = Trainings(tmp_path).run(wanted(), make(trainer))  # type: ignore[operator]
    assert [(one.id, one.seed) for one in done] == [
        (one.architecture.id, one.seed) for one in wanted()
    ]
    for one, of in zip(done, wanted(), strict=True):
        assert one.curve[-1].accuracy == fake_accuracy(of.architecture)
    assert len(trainer.trained) == 6


def test_what_is_done_is_not_done_again_and_what_was_begun_goes_on(tmp_path: Path) -> None:
    def stop(one: Wanted, epoch: Epoch) -> None:
        if one == wanted()[2] and epoch.epoch == 2:
            raise KeyboardInterrupt

    trainings = Trainings(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trainings.run(wanted(), local(FakeTrainer()), on_epoch=stop)
    assert trainings.missing(wanted()) == wanted()[2:]
    heard: list[tuple[Wanted, int]] = []
    trainer = FakeTrainer()
    done = trainings.run(
        wanted(), local(trainer), on_epoch=lambda one, epoch: heard.append((one, epoch.epoch))
    )
    assert len(done) == 6
    assert len(trainer.trained) == 4
    assert heard[0] == (wanted()[2], 3)
    assert not list(tmp_path.glob("*.pt"))


def test_a_checkpoint_that_a_kill_left_beside_its_result_is_removed(tmp_path: Path) -> None:
    done = Trainings(tmp_path).run(wanted(), local(FakeTrainer()))
    left = tmp_path / f"{wanted()[0].name}.pt"
    left.touch()
    assert Trainings(tmp_path).run(wanted(), local(FakeTrainer())) == done
    assert not left.exists()


def test_a_failure_is_kept_and_not_tried_again(tmp_path: Path) -> None:
    def fail(_: Architecture) -> None:
        raise NonFiniteLossError("epoch 1: the training loss is nan")

    one = wanted()[:1]
    Trainings(tmp_path).run(one, local(FakeTrainer(before=fail)))
    (done,) = Trainings(tmp_path).run(one, local(FakeTrainer()))
    assert done.failure == "epoch 1: the training loss is nan"
    assert done.curve == ()


def test_what_failed_for_want_of_memory_goes_on_with_the_next_run(tmp_path: Path) -> None:
    def fill(_: Wanted, epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise OutOfMemoryError("training on cuda: out of memory")

    one, trainings = wanted()[:1], Trainings(tmp_path)
    (failed,) = trainings.run(one, local(FakeTrainer()), on_epoch=fill)
    assert (failed.failure, failed.may_pass) == ("training on cuda: out of memory", True)
    assert trainings.missing(one) == one
    assert trainings.has_ended(one[0]), "what came of it is on record meanwhile"
    heard: list[int] = []
    (done,) = trainings.run(
        one, local(FakeTrainer()), on_epoch=lambda _, epoch: heard.append(epoch.epoch)
    )
    assert (done.failure, heard) == (None, [3])
    assert trainings.missing(one) == []
    assert not list(tmp_path.glob("*.pt"))


def test_a_failure_on_record_of_no_kind_is_not_tried_again(tmp_path: Path) -> None:
    def fail(_: Architecture) -> None:
        raise OutOfMemoryError("no memory")

    one = wanted()[:1]
    Trainings(tmp_path).run(one, local(FakeTrainer(before=fail)))
    (file,) = tmp_path.glob("*.json")
    record = json.loads(file.read_text())
    del record["kind"]  # as an older version wrote it
    file.write_text(json.dumps(record))
    assert Trainings(tmp_path).missing(one) == []


def test_networks_are_begun_that_have_ended_or_left_a_checkpoint(tmp_path: Path) -> None:
    trainings, (one, _, other, *_) = Trainings(tmp_path / "trainings"), wanted()
    assert trainings.begun() == set()
    trainings.run([one], local(FakeTrainer()))
    (tmp_path / "trainings" / f"{other.name}.pt").touch()
    (tmp_path / "trainings" / ".hidden-0.json.123").touch()
    assert trainings.begun() == {one.architecture.id, other.architecture.id}


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    one = wanted()[:1]
    Trainings(tmp_path).run(one, local(FakeTrainer()))
    (file,) = tmp_path.glob("*.json")
    file.write_text("{")
    with pytest.raises(StudyError, match=r"damaged .*delete it to train again"):
        Trainings(tmp_path).run(one, local(FakeTrainer()))


def test_a_curve_that_was_lost_is_told(tmp_path: Path) -> None:
    one = wanted()[:1]
    Trainings(tmp_path).run(one, local(FakeTrainer()))
    (file,) = tmp_path.glob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "curve": []}))
    with pytest.raises(StudyError, match=r"damaged .*curve is empty.*delete it to train again"):
        Trainings(tmp_path).done(one)
