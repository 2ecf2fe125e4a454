"""What a report says at length: of a small study every trial, of a large one those that matter."""

from __future__ import annotations

import json

from mbnas.report.groups import evaluated, front_and_below, groups, said
from mbnas.report.tables import trials_table
from mbnas.report.words import plural
from mbnas.search import Study, Trial

DETAILED = 1_000
"""Of more trials than this, only the front and its neighbourhood are told at length."""
NEIGHBOURS = 300


def detailed(study: Study) -> list[Trial]:
    """The trials that the report has a row and a long text for."""
    if len(study.trials) <= DETAILED:
        return study.trials
    return front_and_below(study, len(study.front) + NEIGHBOURS)


def texts(study: Study) -> str:
    """What is said of each trial when it is picked in the plot, as JSON by number."""
    wanted = {trial.number for trial in detailed(study)}
    found = {
        trial.number: said(trial, group)
        for group, trials in groups(study).items()
        for trial in trials
        if trial.number in wanted
    }
    return json.dumps(found, ensure_ascii=False)


def trials_html(study: Study) -> str:
    """The table of trials, folded away."""
    shown, every = detailed(study), len(study.trials)
    if len(shown) == every:
        heading = (
            f"Show all {every:,} trials, with the reasons of those that failed or were not trained"
        )
        caption = f"All {every:,} trials, {len(evaluated(study)):,} of them evaluated"
    else:
        heading = f"Show the {plural(len(shown), 'trial')} on the front and nearest below it"
        caption = (
            f"The {len(shown):,} trials on the front and nearest below it, out of {every:,};"
            " the table of trials beside this report holds all"
        )
    table = trials_table(study, shown, caption)
    return f"<details><summary>{heading}</summary>{table}</details>"
