"""Searching: objectives and limits, samplers, the ask/tell loop, the study and its front."""

from mbnas.search.budget import Budget
from mbnas.search.estimate import Estimate
from mbnas.search.events import Found, Observer, Snapshot
from mbnas.search.feasibility import Feasibility
from mbnas.search.front import front, hypervolume, knee
from mbnas.search.objectives import COSTS, Goals, Limit, Objective, maximize, minimize
from mbnas.search.samplers import DEFAULT_SAMPLER, SAMPLERS
from mbnas.search.savings import Savings, is_paid, savings
from mbnas.search.search import Search
from mbnas.search.steering import (
    InEvaluation,
    Progress,
    pause_search,
    read_progress,
    resume_search,
    stop_search,
)
from mbnas.search.stopping import FrontReach, Stop, Stopping
from mbnas.search.study import Study, open_study
from mbnas.search.trial import Trial

__all__ = [
    "COSTS",
    "DEFAULT_SAMPLER",
    "SAMPLERS",
    "Budget",
    "Estimate",
    "Feasibility",
    "Found",
    "FrontReach",
    "Goals",
    "InEvaluation",
    "Limit",
    "Objective",
    "Observer",
    "Progress",
    "Savings",
    "Search",
    "Snapshot",
    "Stop",
    "Stopping",
    "Study",
    "Trial",
    "front",
    "hypervolume",
    "is_paid",
    "knee",
    "maximize",
    "minimize",
    "open_study",
    "pause_search",
    "read_progress",
    "resume_search",
    "savings",
    "stop_search",
]
