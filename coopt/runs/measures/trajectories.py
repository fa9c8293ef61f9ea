"""Validation scores over training, with their intervals: the paper's evaluation trajectories (Figure 8). A point is the
end of a round, or lies within one (``rounds.evaluate_every``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from coopt.core.statistics.crossed import estimate
from coopt.core.statistics.design import Array, make_design
from coopt.core.statistics.proportions import proportion_interval
from coopt.runs.run import Run

MEAN = "mean of all domains"


class Point(NamedTuple):
    """The score of a student on a domain (or the mean of all) in or after a round, mean of the run's seeds, with its
    95 % interval. ``step``: training steps so far."""

    method: str
    student: str
    domain: str
    round: int
    step: int
    score: float
    low: float
    high: float


def trajectories(run: Run, *, unfinished: bool = False) -> list[Point]:
    """All points of a run whose score files are there; none where they are not (a folder of results only).
    ``unfinished``: also those that some seeds have not reached, as the mean of the others."""
    seeds = run.seeds if unfinished else run.seeds[:1]
    first = [(seed, method) for seed in seeds for method in run.config.methods]
    if not any(run.scores_path(*key, "validation", 0, run.topology.students[0]).is_file() for key in first):
        return []
    clusters = {d: [i.clusters for i in run.domains[d].items("validation")] for d in run.config.domains}
    designs = {d: make_design([c]) for d, c in clusters.items()} | {MEAN: make_design(list(clusters.values()))}
    points = []
    for method in run.config.methods:
        steps = run.settings_of(method).rounds.steps
        for student in run.topology.students:
            for round_ in range(run.rounds_of(method) + 1):
                within = _within(run, method, round_, student, unfinished) if round_ else {}
                ends = _at_the_end(run, method, round_, student, round_ * steps, unfinished)
                for step, scores in (within | ends).items():
                    values = {d: np.array([_rows(s[d]["correct"]) for s in scores]) for d in run.config.domains}
                    values[MEAN] = np.concatenate(list(values.values()), axis=1)
                    for domain, values_SQ in values.items():
                        found = estimate(values_SQ, designs[domain])
                        where = (domain, round_, step)
                        points.append(Point(method, student, *where, found.value, *proportion_interval(found)))
    return points


Scored = list[Mapping[str, Any]]
"""Of every seed: domain -> its answers."""


def _at_the_end(run: Run, method: str, round_: int, student: str, step: int, unfinished: bool) -> dict[int, Scored]:
    """``step`` -> the scores after a round; empty if a seed's file is not there (``unfinished``: if none is)."""
    paths = [run.scores_path(seed, method, "validation", round_, student) for seed in run.seeds]
    there = [p for p in paths if p.is_file()]
    enough = len(there) == len(paths) or (unfinished and there)
    return {step: [run.answers_in(p)["domains"] for p in there]} if enough else {}


def _within(run: Run, method: str, round_: int, student: str, unfinished: bool) -> dict[int, Scored]:
    """Step -> the scores inside a round that every seed has (``unfinished``: every one that has any there)."""
    files = [run.phase_files(seed, method, round_, student) for seed in run.seeds]
    found = [{line["step"] + 1: line["domains"] for line in own.read(own.evaluations)} for own in files]
    if unfinished:
        found = [own for own in found if own] or [{}]
    return {step: [own[step] for own in found] for step in found[0] if all(step in own for own in found)}


def _rows(correct: Sequence[Sequence[int]]) -> Array:
    found: Array = np.mean(np.array(correct, dtype=float), axis=1)
    return found
