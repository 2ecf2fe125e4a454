"""How much each choice matters, for the accuracy and for the cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from statistics import mean, stdev
from typing import TYPE_CHECKING

import numpy as np
import optuna
import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from mbnas.report.groups import evaluated, spread
from mbnas.report.style import BLUE, ORANGE, PALE, new_figure, say, striped
from mbnas.report.words import QUANTITIES, escaped
from mbnas.search import Study, Trial
from mbnas.search.storage import quiet_optuna
from mbnas.space import Choice, Params

if TYPE_CHECKING:
    from optuna.importance import FanovaImportanceEvaluator

FEWEST = 10
"""Trained trials without which nothing can be said."""
SAMPLE = 200
TREES, DEPTH = 24, 5
"""On 300 networks of two spaces, within 0.03 of Optuna's 64 trees of any depth, in a tenth of the
time."""
SHUFFLES, SHUFFLED_TREES = 5, 8
"""Of each goal's values, at least. Fewer trees are quicker, and give chance a little too much."""
GUMBEL = 1.866
"""Standard deviations between the mean of Gumbel's distribution and its 95 % quantile."""
MOST = 15
ROW = 34  # pixels


@dataclass(frozen=True, slots=True)
class Importance:
    """Which share of the spread among trained networks a choice alone explains, in [0, 1].

    Attributes:
        choice: Name of the choice.
        quality: Of the accuracy's spread.
        cost: Of the cost's.
    """

    choice: str
    quality: float
    cost: float


@dataclass(frozen=True, slots=True)
class Chance:
    """How far noise alone would come.

    Attributes:
        share: What some choice comes to in one case of twenty, with values shuffled.
        networks: How many they were shuffled among.
    """

    share: float
    networks: int


def importance_figure(study: Study) -> go.Figure:
    """Two bars for each choice, what matters most on top."""
    found, luck = importances(study), chance(study)
    if luck is None:
        return say(new_figure(160), f"needs {FEWEST} trained networks that differ")
    shown = found[:MOST]
    figure = new_figure(ROW * len(shown) + 110)
    figure.update_layout(
        barmode="group",
        bargap=0.3,
        margin={"l": 138},
        xaxis={
            "title": {"text": "share of the spread explained"},
            "tickformat": ".0%",
            "rangemode": "tozero",
            "autorangeoptions": {"include": luck.share},
            "fixedrange": True,
        },
        yaxis={"autorange": "reversed", "showgrid": False, "fixedrange": True},
        legend={"traceorder": "normal"},
    )
    figure.add_vrect(
        x0=0,
        x1=luck.share,
        fillcolor=PALE,
        line={"width": 0},
        layer="below",
        name="what chance reaches",
        showlegend=True,
    )
    goals = study.record.goals
    names = [escaped(one.choice) for one in shown]
    for quantity, colour, pattern, values in (
        (goals.quality, BLUE, "", [one.quality for one in shown]),
        (goals.cost, ORANGE, "/", [one.cost for one in shown]),
    ):
        noun = QUANTITIES[quantity].noun
        figure.add_bar(
            name=f"for the {noun}",
            orientation="h",
            y=names,
            x=values,
            marker={"color": colour, "pattern": striped(pattern)},
            hovertext=[
                f"<b>{name}</b><br>{value:.0%} of the spread in {noun}"
                for name, value in zip(names, values, strict=True)
            ],
            hoverinfo="text",
        )
    return figure


def importances(study: Study) -> list[Importance]:
    """Every choice by its larger share, the largest first; empty where too little is known.

    By fANOVA (Hutter et al., 2014) on at most 200 trained trials, evenly spread over the search.
    """
    sample = _sample(study)
    return [] if sample is None else list(_analysed(sample))


def chance(study: Study) -> Chance | None:
    """Which share chance gives to some choice; None where `importances` is empty."""
    sample = _sample(study)
    return None if sample is None else Chance(_by_chance(sample), len(sample.values))


def _sample(study: Study) -> _Sample | None:
    goals, choices = study.record.goals, study.space.choices
    names = {choice.name for choice in choices}
    known = [
        (trial, quality, cost)
        for trial in evaluated(study)
        if trial.status == "trained"
        and (quality := trial.value(goals.quality)) is not None
        and (cost := trial.value(goals.cost)) is not None
        and names == trial.params.keys()  # one from outside the space stands at no point of it
    ]
    # A live page asks again for every new trial: of many, a tenth more has to be known first.
    known = spread(known[: _rounded(len(known))], SAMPLE)
    values = tuple((quality, cost) for _, quality, cost in known)
    if len(known) < FEWEST or any(len(set(of)) < 2 for of in zip(*values, strict=True)):
        return None
    return _Sample(choices, values, tuple(trial for trial, _, _ in known))


def _rounded(count: int) -> int:
    """A count with zeros behind its first two digits, 1,234: 1,200."""
    unit = int(10 ** max(0, len(str(count)) - 2))
    return count // unit * unit


@dataclass(frozen=True, slots=True)
class _Sample:
    """Trained trials and what came of them; equal if the same came of them."""

    choices: tuple[Choice, ...]
    values: tuple[tuple[float, float], ...]
    trials: tuple[Trial, ...] = field(compare=False)

    @property
    def points(self) -> Sequence[Params]:
        """Where they stand in the space."""
        return [trial.params for trial in self.trials]


def _evaluator(trees: int) -> FanovaImportanceEvaluator:
    from optuna.importance import FanovaImportanceEvaluator  # with it scikit-learn: a second

    return FanovaImportanceEvaluator(n_trees=trees, max_depth=DEPTH, seed=0)


@lru_cache(maxsize=8)
def _analysed(sample: _Sample) -> tuple[Importance, ...]:
    study = _as_optunas(sample)
    evaluator = _evaluator(TREES)
    # Not get_param_importances, which by itself lets the shares sum to 1.
    quality, cost = (evaluator.evaluate(study, target=partial(_value, at=at)) for at in (0, 1))
    names = [choice.name for choice in sample.choices]
    found = [Importance(name, float(quality[name]), float(cost[name])) for name in names]
    return tuple(sorted(found, key=lambda one: -max(one.quality, one.cost)))


def _value(trial: FrozenTrial, at: int) -> float:
    return float(trial.values[at])


@lru_cache(maxsize=8)
def _by_chance(sample: _Sample) -> float:
    """The 95 % quantile of the largest share, where no choice matters.

    Of a few shuffles the quantile itself would be unsteady; their mean and spread give it, as
    largest values are spread by Gumbel's law. A share has no unit, so both goals serve.
    """
    study, shuffler = _as_optunas(sample), np.random.default_rng(0)
    evaluator = _evaluator(SHUFFLED_TREES)
    largest = []
    for at in (0, 1) * max(SHUFFLES, SAMPLE // len(sample.values)):  # few networks are quick
        values = shuffler.permutation([pair[at] for pair in sample.values]).tolist()
        found = evaluator.evaluate(study, target=partial(_shuffled, values=values))
        largest.append(max(found.values()))
    return float(min(1.0, mean(largest) + GUMBEL * stdev(largest)))


def _shuffled(trial: FrozenTrial, values: Sequence[float]) -> float:
    return values[trial.number]


def _as_optunas(sample: _Sample) -> optuna.Study:
    distributions: dict[str, BaseDistribution] = {
        choice.name: CategoricalDistribution(choice.labels) for choice in sample.choices
    }
    with quiet_optuna():
        study = optuna.create_study(directions=["maximize", "minimize"])
    study.add_trials(
        [
            optuna.create_trial(params=point, distributions=distributions, values=values)
            for point, values in zip(sample.points, sample.values, strict=True)
        ]
    )
    return study
