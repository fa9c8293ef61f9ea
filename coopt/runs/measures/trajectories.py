"""Validation scores after every round, with their intervals: the paper's evaluation trajectories (Figure 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coopt.core import store
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import Array, interval, resample_weights
from coopt.runs.run import Run

MEAN = "mean of all domains"


class Point(NamedTuple):
    """The score of a student on a domain (or the mean of all) after a round, mean of the run's seeds, with its 95 %
    interval over questions. ``step``: training steps so far."""

    method: str
    student: str
    domain: str
    round: int
    step: int
    score: float
    low: float
    high: float


def trajectories(run: Run) -> list[Point]:
    """All points of a run whose score files are there; none where they are not (a folder of results only)."""
    weights: dict[tuple[str, int], Array] = {}

    def drawn(domain: str, values: Array) -> Array:
        """Bootstrap means; the same questions are drawn for every student, method and round."""
        key = domain, len(values)
        if key not in weights:
            weights[key] = resample_weights(len(values), run.config.run.bootstrap, generator("trajectory", domain))
        found: Array = weights[key] @ values
        return found

    points = []
    for method in run.config.methods:
        steps = run.settings_of(method).rounds.steps
        for student in run.topology.students:
            for round_ in range(run.rounds_of(method) + 1):
                values = _per_question(run, method, round_, student)
                if not values:
                    continue
                draws = {d: drawn(d, v) for d, v in values.items()}
                means = {d: float(v.mean()) for d, v in values.items()}
                draws[MEAN] = np.mean(list(draws.values()), axis=0)
                means[MEAN] = float(np.mean(list(means.values())))
                where = (round_, round_ * steps)
                points += [Point(method, student, d, *where, means[d], *interval(draws[d])) for d in draws]
    return points


def _per_question(run: Run, method: str, round_: int, student: str) -> dict[str, Array]:
    """domain -> mean correctness of each validation question over seeds; empty if a seed's file is not there."""
    paths = [run.scores_path(seed, method, "validation", round_, student) for seed in run.seeds]
    if not all(p.is_file() for p in paths):
        return {}
    scores = [store.read_json(p)["domains"] for p in paths]
    return {d: np.mean([_rows(s[d]["correct"]) for s in scores], axis=0) for d in run.config.domains}


def _rows(correct: Sequence[Sequence[int]]) -> Array:
    found: Array = np.mean(np.array(correct, dtype=float), axis=1)
    return found
