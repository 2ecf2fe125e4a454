"""What an audit concludes, from curves that were made up."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from helpers import some_architectures, tiny_space
from integration.studies import digits
from rich.console import Console

from mbnas.analysis.audit import LEAST_CEILING, Audit, Sampled, audited
from mbnas.analysis.audit_record import AuditPlan, AuditRecord, held
from mbnas.analysis.trainings import Done
from mbnas.cli.audit import _show
from mbnas.errors import StudyError
from mbnas.network import Architecture
from mbnas.report.audit_page import audit_dataframe, audit_page, verdict
from mbnas.report.figures.audit import agreement_figure
from mbnas.training.recipe import Recipe
from mbnas.training.trainer import Epoch

EPOCHS = 8


def training(architecture: Architecture, accuracies: list[float], seed: int = 0) -> Done:
    curve = tuple(
        Epoch(at, 2 - accuracy, accuracy, accuracy / 2, at * 1.5)
        for at, accuracy in enumerate(accuracies, start=1)
    )
    return Done(id=architecture.id, seed=seed, curve=curve, seconds=len(curve) * 1.5)


def made_up(noise_of_short: float, noise_of_seeds: float = 0.0, count: int = 16) -> list[Sampled]:
    """Networks whose true accuracies are spread evenly; brief ones are seen through noise."""
    rng = random.Random(0)
    networks = []
    for at, architecture in enumerate(some_architectures(tiny_space(), count)):
        true = 0.5 + 0.02 * at

        def final(true: float = true) -> float:
            return true + rng.gauss(0, noise_of_seeds)

        middle = [true - 0.3 + rng.gauss(0, 0.5) for _ in range(EPOCHS - 2)]
        last_but_one = final()
        networks.append(
            Sampled(
                architecture=architecture,
                full=training(architecture, [*middle, last_but_one, last_but_one]),
                again=training(architecture, [0.0] * (EPOCHS - 1) + [final()], 1),
                short={
                    1: training(architecture, [true + rng.gauss(0, 0.5)]),
                    2: training(architecture, [0.0, true + rng.gauss(0, noise_of_short)]),
                },
            )
        )
    return networks


def found(audit: Audit, name: str) -> float:
    return next(one for one in audit.foretellings if one.name == name).overall.tau


def test_the_cheapest_schedule_that_is_good_enough_is_recommended() -> None:
    audit = audited(made_up(noise_of_short=0.0), EPOCHS, "accuracy")
    assert audit.ceiling.tau == pytest.approx(1)
    assert found(audit, "schedule of 2") == pytest.approx(1)
    assert found(audit, "schedule of 1") < 0.9
    assert audit.recommended is not None
    assert (audit.recommended.name, audit.recommended.share) == ("schedule of 2", 0.25)
    assert "Train each network for 2 epochs: 25%" in verdict(audit)


def test_a_rung_is_recommended_where_no_schedule_is_good() -> None:
    audit = audited(made_up(noise_of_short=0.5), EPOCHS, "accuracy")
    assert audit.recommended is not None
    assert audit.recommended.name == "rung at 7"
    assert "look at epoch 7" in verdict(audit)


def test_good_enough_is_measured_by_what_two_seeds_agree() -> None:
    clean = audited(made_up(0.0), EPOCHS, "accuracy")
    lucky = audited(made_up(0.0, noise_of_seeds=0.1), EPOCHS, "accuracy")
    assert lucky.ceiling.tau < clean.ceiling.tau
    assert lucky.wanted_tau < clean.wanted_tau


def test_without_an_order_nothing_is_recommended() -> None:
    audit = audited(made_up(0.0, noise_of_seeds=50.0), EPOCHS, "accuracy")
    assert not audit.has_order
    assert audit.recommended is None
    assert "too alike" in verdict(audit)
    assert "audit" in audit_page(audit, "tiny")


def test_an_agreement_of_seeds_that_may_be_chance_recommends_nothing() -> None:
    audit = audited(made_up(0.0, noise_of_seeds=0.1), EPOCHS, "accuracy")
    assert audit.ceiling.tau >= LEAST_CEILING
    assert audit.ceiling.low <= 0
    assert audit.recommended is None
    assert "may be chance" in verdict(audit)
    assert "good enough" not in agreement_figure(audit).to_json()


def test_too_few_trained_twice_recommend_nothing() -> None:
    networks = made_up(0.0)
    once = [replace(one, again=None) for one in networks[7:]]
    audit = audited([*networks[:7], *once], EPOCHS, "accuracy")
    assert audit.ceiling.tau == pytest.approx(1)
    assert audit.recommended is None
    assert "7 networks came to the end of both full trainings, too few" in verdict(audit)
    assert "Train at least 8 with a second seed" in verdict(audit)
    assert ">nan" not in audit_page(audit, "tiny").replace(" ", ">")


def test_a_best_quarter_of_few_networks_has_no_interval_and_says_how_many_it_is_of() -> None:
    few, enough = (audited(made_up(0.0, count=count), EPOCHS, "accuracy") for count in (24, 32))
    assert all(math.isnan(one.best.low) and one.best.networks == 6 for one in few.foretellings)
    assert "τ, best 6" in audit_page(few, "tiny")
    assert enough.recommended is not None
    assert enough.recommended.best.low == pytest.approx(1)
    assert enough.recommended.best.networks == 8


def test_where_all_ended_alike_it_is_said() -> None:
    alike = [
        replace(
            one,
            full=training(one.architecture, [0.5] * EPOCHS),
            again=training(one.architecture, [0.5] * EPOCHS, 1),
        )
        for one in made_up(0.0)
    ]
    audit = audited(alike, EPOCHS, "accuracy")
    assert "there is no order to foretell" in verdict(audit)
    assert ">nan" not in audit_page(audit, "tiny").replace(" ", ">")
    said = StringIO()
    _show(audit, Console(file=said, width=200))
    assert "nan" not in said.getvalue()
    alone = audited([replace(one, again=None) for one in made_up(0.0)], EPOCHS, "accuracy")
    assert "Fewer than two networks" in verdict(alone)


def test_training_loss_and_costs_are_held_against_the_order_too() -> None:
    audit = audited(made_up(0.0), EPOCHS, "accuracy")
    kinds = [one.kind for one in audit.foretellings]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "cost": 2,
        "schedule": 2,
        "rung": EPOCHS - 1,
        "loss": EPOCHS - 1,
    }
    assert [one.epochs for one in audit.foretellings] == sorted(
        one.epochs for one in audit.foretellings
    )


def test_failed_networks_are_left_out() -> None:
    networks = made_up(0.0)
    broken = Done(id="x", seed=0, curve=(), seconds=1, failure="NonFiniteLossError: nan")
    networks[3] = replace(networks[3], short={**networks[3].short, 2: broken})
    audit = audited(networks, EPOCHS, "accuracy")
    assert len(audit.networks) == len(networks) - 1


def test_the_table_holds_everything_and_marks_the_choice() -> None:
    audit = audited(made_up(0.0), EPOCHS, "balanced_accuracy")
    table = audit_dataframe(audit)
    assert len(table) == len(audit.foretellings) + 1
    assert list(table[table["recommended"]]["name"]) == ["schedule of 2"]
    two_seeds = table.iloc[-1]
    assert (two_seeds["kind"], two_seeds["networks"]) == ("ceiling", 16)
    assert two_seeds["tau"] == two_seeds["tau_low"] == two_seeds["tau_high"] == pytest.approx(1)
    page = audit_page(audit, "tiny <b>")
    assert "balanced validation accuracy" in page
    assert "tiny &lt;b&gt;" in page
    assert all(one.architecture.id in page for one in audit.networks)
    assert "A short schedule starts from the full one’s seed" in page


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AuditPlan(networks=3), "networks = 3"),
        (lambda: AuditPlan(twice=2), "twice = 2"),
        (lambda: AuditPlan(networks=8, twice=9), "twice = 9"),
        (lambda: AuditPlan(quality="speed"), 'quality "speed"'),
        (lambda: AuditPlan(schedules=(12,)).lengths(12), "shorter than the full one, 12"),
    ],
)
def test_a_plan_that_cannot_be_is_told(make: object, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        make()  # type: ignore[operator]


def test_short_schedules_are_a_tenth_a_fifth_and_a_third_if_not_said() -> None:
    assert AuditPlan().lengths(30) == (3, 6, 10)
    assert AuditPlan().lengths(3) == (1,)
    assert AuditPlan(schedules=(5, 2)).lengths(30) == (2, 5)


def test_an_audit_goes_on_where_its_images_are_spelled_otherwise_and_not_with_others() -> None:
    there = AuditRecord.of(tiny_space(), digits(), Recipe(epochs=12), AuditPlan())
    assert there.differences(there.model_copy(update={"data": "folder:moved/"})) == []
    others = there.model_copy(update={"data": "folder:moved/", "digest": "0"})
    assert there.differences(others) == ["choice of images"]


def test_an_audit_that_trained_nothing_binds_nobody(tmp_path: Path) -> None:
    def record(epochs: int) -> AuditRecord:
        return AuditRecord.of(tiny_space(), digits(), Recipe(epochs=epochs), AuditPlan())

    with held(tmp_path, record(12)):  # and then the device is not there
        pass
    with held(tmp_path, record(9)):
        place = tmp_path / "trainings" / "009"
        place.mkdir(parents=True)
        (place / "network-0.pt").touch()
    with held(tmp_path, record(9)):
        pass
    with pytest.raises(StudyError, match="another recipe"), held(tmp_path, record(12)):
        pass
