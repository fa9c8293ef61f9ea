"""The record of a simulation. It is no ``Results`` of a run: a reader of measured results refuses it."""

from __future__ import annotations

from typing import Literal

from coopt.runs.results import Record


class ScoreGroup(Record):
    """A group of students in one domain, in the mean over students and seeds."""

    method: str
    group: str
    domain: str
    native: bool
    students: int
    start: float
    end: float
    change: float
    low: float
    high: float
    """Middle 80 % of the changes of single students."""
    worse: float
    """Share of students that end lower than they began."""


class ParetoGroup(Record):
    """Who improves somewhere and is worse nowhere, on exact competences."""

    method: str
    share: float
    """Of students, the mean over seeds."""
    mutual: float
    """Share of seeds in which every student does."""
    native_change: float
    native_loss: float
    """Share of students that end lower in their native domain."""
    collapsed: float
    """Share of students whose training was stopped."""


class Compared(Record):
    """A method against the first one, in the mean over students and domains."""

    method: str
    baseline: str
    difference: float
    low: float
    high: float
    native_difference: float
    unit: Literal["seeds", "students"]
    """What was resampled for the interval."""
    verdict: str


class RankGroup(Record):
    """Students by their place in the initial ranking (mean of the domains)."""

    method: str
    rank: str
    students: int
    start: float
    change: float


class RoundLine(Record):
    """One round of a method, in the mean over seeds."""

    method: str
    round: int
    open: float | None
    """Open share of the edges; None in round 0 and where there are no edges."""
    tutored: float
    """Share of students with an open tutor."""
    score: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    """Domain -> mean score and middle 80 % of students."""
    disagreement: dict[str, float]
    """Domain -> probability that two random students differ in whether a question is answered right."""


class FeedbackLine(Record):
    """What feedback did over a whole run, beyond what the same rollouts would have done without it."""

    method: str
    right: float
    """Right rollouts of tutored students, a seed."""
    broken: float
    """Share of them that feedback made wrong."""
    mended: float
    """Wrong rollouts that feedback made right, per right rollout told: on the scale of ``broken``."""


class SimulatedResults(Record):
    """Everything that the tables and the picture of a simulation show."""

    simulated: Literal[True] = True
    version: Literal[1] = 1
    constants: str
    """The file of constants and what was changed by hand."""
    feedback_rates: str
    topology: str
    students: int
    edges: int
    domains: list[str]
    methods: list[str]
    seeds: list[int]
    rounds: int
    steps: int
    gate: str
    scores: list[ScoreGroup]
    pareto: list[ParetoGroup]
    comparisons: list[Compared]
    ranks: list[RankGroup]
    history: list[RoundLine]
    feedback: list[FeedbackLine]
