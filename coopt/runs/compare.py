"""Methods of several runs side by side, paired over the questions that all of them answered.

What is compared is the change against the own initial students, in the seeds that all runs have. Where the runs begin
with the same students, differences of changes are differences of scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from coopt.core.config.identity import differences
from coopt.core.errors import RunError
from coopt.core.names import INIT
from coopt.core.statistics.crossed import Estimate
from coopt.core.statistics.design import Array, Clusters
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.ranking import Rank, pairs_of, ranks
from coopt.core.statistics.verdicts import MARGIN, Change, corrected, corrected_by_key, or_equivalent
from coopt.runs.measures.scores import Scores
from coopt.runs.run import Run
from coopt.runs.together import data_of, name_of

_ALL = "all"


class Side(NamedTuple):
    """A method of a run."""

    run: str
    method: str

    def __str__(self) -> str:
        return f"{self.run}: {self.method}"


class Line(NamedTuple):
    """What a side reached, in the mean of all students and domains, over the shared seeds. ``rank``: by change."""

    side: Side
    rank: Rank
    students: int
    start: float
    score: Estimate
    change: Change


class Difference(NamedTuple):
    """One side's change minus another's, paired over questions."""

    side: Side
    baseline: Side
    moved: Change


class Comparison(NamedTuple):
    """``left_out``: run -> its seeds that not all have; ``settings``: setting -> its values, where runs differ;
    ``not_compared``: pairs of sides without a difference."""

    runs: list[str]
    seeds: list[int]
    left_out: dict[str, list[int]]
    same_start: bool
    settings: dict[str, list[Any]]
    lines: list[Line]
    differences: list[Difference]
    not_compared: list[tuple[Side, Side]]


def compare_runs(runs: Sequence[Run], *, within: bool = True) -> Comparison:
    """Raises ``RunError`` if the runs did not answer the same questions, or share no seed. ``within``: methods of one
    run are also set against each other."""
    names = _names(runs)
    _check_comparable(runs, names)
    seeds = [s for s in runs[0].seeds if all(s in run.seeds for run in runs)]
    scores = {name: _Shared(run, seeds) for name, run in zip(names, runs, strict=True)}
    changes = _Changes(scores)
    sides = list(changes.sides)
    moved = corrected([changes.between(str(s), INIT, [_ALL]) for s in sides])
    names_of_sides = [str(s) for s in sides]
    every_pair = {(a, b): changes.between(a, b, [_ALL]) for a, b in pairs_of(names_of_sides)}
    values = {name: m.value for name, m in zip(names_of_sides, moved, strict=True)}
    places = ranks(values, corrected_by_key(every_pair))
    pairs = [(a, b) for a, b in _pairs(sides) if within or a.run != b.run]
    moved_apart = corrected_by_key({(a, b): changes.between(str(a), str(b), [_ALL]) for a, b in pairs})
    apart = or_equivalent(moved_apart, MARGIN)
    return Comparison(
        runs=names,
        seeds=seeds,
        left_out={n: [s for s in r.seeds if s not in seeds] for n, r in zip(names, runs, strict=True)},
        same_start=_same_start(list(scores.values())),
        settings=differences([r.config for r in runs], "seed", "seeds", "methods"),
        lines=[_line(scores[s.run], s, m, places[str(s)]) for s, m in zip(sides, moved, strict=True)],
        differences=[Difference(a, b, m) for (a, b), m in apart.items()],
        not_compared=[(b, a) for a, b in combinations(sides, 2) if (b, a) not in apart and (within or a.run != b.run)],
    )


def _names(runs: Sequence[Run]) -> list[str]:
    """Folder names; whole paths where two are the same."""
    names = [name_of(r) for r in runs]
    if len(set(names)) < len(names):
        names = [str(r.directory) for r in runs]
    if len(set(names)) < len(names):
        raise RunError(f"{', '.join(names)}: the same run twice. Give different ones.")
    return names


def _check_comparable(runs: Sequence[Run], names: Sequence[str]) -> None:
    first = runs[0]
    for name, run in zip(names[1:], runs[1:], strict=True):
        facts = {
            "domains": (set(first.config.domains), set(run.config.domains)),
            "answers per question (k)": (first.config.sampling.eval_samples, run.config.sampling.eval_samples),
            "test questions": (questions_of(first), questions_of(run)),
        }
        for what, (one, other) in facts.items():
            if one != other:
                shown = [", ".join(sorted(v)) if isinstance(v, set) else str(v) for v in (one, other)]
                raise RunError(
                    f"{names[0]} and {name} cannot be compared: {what} differ ({shown[0]} and {shown[1]}). Compare runs"
                    " of the same domains, data and sampling.eval_samples."
                )
    if not set.intersection(*(set(r.seeds) for r in runs)):
        seeds = "; ".join(f"{n}: {', '.join(map(str, r.seeds))}" for n, r in zip(names, runs, strict=True))
        raise RunError(f"no seed that all runs have ({seeds}). Run one of them with --seed and --seeds of another.")


def questions_of(run: Run) -> set[str]:
    """Every domain with the hash of its test questions."""
    return {f"{domain} {splits['test']}" for domain, splits in data_of(run).items()}


class _Shared(Scores):
    """A run's scores in the seeds that all runs have."""

    def __init__(self, run: Run, seeds: list[int]) -> None:
        super().__init__(run)
        self.seeds = seeds


class _Changes(Paired):
    """Every side's mean change of its students. ``who``: a side as text; ``init``: no change."""

    students = (_ALL,)

    def __init__(self, scores: Mapping[str, _Shared]) -> None:
        self.first = next(iter(scores.values()))
        self.domains = self.first.domains
        self.sides = {Side(name, m): s for name, s in scores.items() for m in s.methods}
        self.methods = [str(side) for side in self.sides]
        self._by_name = {str(side): (side, s) for side, s in self.sides.items()}

    @property
    def clusters(self) -> Mapping[str, Sequence[Clusters]]:
        return self.first.clusters

    def per_question(self, who: str, student: str, domain: str) -> Array:
        if who == INIT:
            return np.zeros_like(self.first.per_question(INIT, self.first.students[0], domain))
        side, scores = self._by_name[who]
        moved = [
            scores.per_question(side.method, s, domain) - scores.per_question(INIT, s, domain) for s in scores.students
        ]
        mean: Array = np.mean(moved, axis=0)
        return mean


def _pairs(sides: Sequence[Side]) -> list[tuple[Side, Side]]:
    """All against the first run's first method, and every method against its namesake in an earlier run."""
    pairs = dict.fromkeys((s, sides[0]) for s in sides[1:])
    for place, side in enumerate(sides):
        namesake = next((s for s in sides[:place] if s.method == side.method), None)
        if namesake is not None:
            pairs[side, namesake] = None
    return list(pairs)


def _line(scores: _Shared, side: Side, moved: Change, rank: Rank) -> Line:
    everyone = scores.students
    return Line(side, rank, len(everyone), scores.mean(INIT, everyone).value, scores.mean(side.method, everyone), moved)


def _same_start(scores: Sequence[_Shared]) -> bool:
    """Do all runs begin with students that give the same answers?"""
    first, *others = scores
    return all(
        list(o.students) == list(first.students)
        and all(
            np.array_equal(o.per_question(INIT, s, d), first.per_question(INIT, s, d))
            for s in first.students
            for d in first.domains
        )
        for o in others
    )
