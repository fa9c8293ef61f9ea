"""What real runs say that the model can be fitted to: starts, gains, pairs of answers, and break-rate probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from coopt.core.arrays import Floats, Ints

Cluster = tuple[str, int, str]
"""Run, seed, student: what is resampled as a whole."""


class StudentRound(NamedTuple):
    """A student in one round. ``tutors``: for each domain the start scores of its open tutors."""

    cluster: Cluster
    method: str
    before_D: Floats
    after_D: Floats
    tutors: Sequence[Floats]
    share_D: Floats
    native: int
    steps: int
    rollouts: int
    exclude_self: bool
    answers: int


class Course(NamedTuple):
    """A student from start to end under a method: its scores by domain."""

    cluster: Cluster
    method: str
    start_D: Floats
    end_D: Floats
    native: int


class Pair(NamedTuple):
    """Questions that both, only the first, only the second, or neither initial student of an edge knows [4]."""

    cluster: Cluster
    counts: Ints


class StartScore(NamedTuple):
    """A score of an initial student."""

    cluster: Cluster
    score: float
    native: bool


class Probe(NamedTuple):
    """Break-rate grids of one tutee in one domain: ``edges`` tutor -> (f, s + f), each with its start score."""

    cluster: Cluster
    tutee_score: float
    tutor_scores: dict[str, float]
    before: Floats
    again: Floats
    own: Floats
    f: dict[str, Floats]
    both: dict[str, Floats]
    kept: dict[str, float]


@dataclass
class Observed:
    """Everything from a list of runs."""

    names: list[str] = field(default_factory=list)
    steps: list[StudentRound] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    starts: list[StartScore] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    missing: int = 0
    """Student-rounds of the runs' settings that are not on disk yet."""
