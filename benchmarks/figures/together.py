"""Two methods over the seeds of several archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.figures.figure import Figure, FigureError, Figures, difference, listed, words
from coopt.core.names import INIT
from coopt.core.statistics.crossed import estimate
from coopt.core.statistics.design import Array, make_design
from coopt.core.statistics.verdicts import change
from coopt.reports.leaderboard.answers import GradedAnswers
from coopt.runs.results import ComparisonCell, Results


class Source(NamedTuple):
    """An archive's seeds with the answers of a method in them; without answers its results."""

    name: str
    seeds: Sequence[int]
    methods: Sequence[str]
    answers: Callable[[str], GradedAnswers] | None
    results: Results | None = None


class Together:
    """Archives whose seeds are read as those of one run."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        seeds = [s for source in sources for s in source.seeds]
        twice = sorted({s for s in seeds if seeds.count(s) > 1})
        if twice:
            names = ", ".join(source.name for source in sources)
            raise FigureError(f"{names}: seeds {listed(twice)} are in two of them.")
        self.seeds = seeds

    def figures(self) -> Figures:
        found: Figures = {"seeds": lambda: words(listed(self.seeds))}
        for one in self._methods:
            for other in self._methods:
                if one != other:
                    found[f"{one}-{other}"] = _Pair(self.sources, one, other)
        return found

    @cached_property
    def _methods(self) -> list[str]:
        """Of all sources."""
        first, *others = self.sources
        return [m for m in first.methods if all(m in s.methods for s in others)]


class _Pair:
    """One method less another."""

    def __init__(self, sources: Sequence[Source], one: str, other: str) -> None:
        self.sources, self.one, self.other = sources, one, other

    def __call__(self) -> Figure:
        if all(s.answers for s in self.sources):
            return self._by_answers()
        return self._by_seeds([x for s in self.sources for x in self._per_seed(s)])

    def _by_answers(self) -> Figure:
        """By the model of every table, over all seeds and the questions that all of them answered."""
        found, first = [], None
        for source in self.sources:
            one, other = self._answers(source)
            first = first or one
            if one.questions != first.questions:
                raise FigureError(f"{source.name} answered other questions than {self.sources[0].name}.")
            found.append(_change(one) - _change(other))
        assert first is not None
        moved = change(np.concatenate(found), first.design())
        return difference(moved.value, moved.low, moved.high, moved.per_seed, moved.p)

    def _by_seeds(self, per_seed: Sequence[float]) -> Figure:
        """Where some answers were not kept: the same model of one number a seed: t over the seeds."""
        found = estimate(np.array(per_seed)[:, None], make_design([[()]]))
        return difference(found.value, *found.interval(), per_seed=per_seed, p=found.p_value())

    def _per_seed(self, source: Source) -> list[float]:
        if source.answers:
            one, other = self._answers(source)
            return [float(x) for x in one.design().mean(_change(one) - _change(other))]
        assert source.results is not None
        by_baseline = {
            c.baseline: (c.per_seed, own.per_seed)
            for c in _all_students(source.results, self.one)
            for own in _all_students(source.results, self.other)
            if own.baseline == c.baseline
        }
        direct = {c.baseline: c.per_seed for c in _all_students(source.results, self.one)}
        if self.other in direct:
            return direct[self.other]
        if not by_baseline:
            raise FigureError(f"{source.name} does not compare {self.one} and {self.other}.")
        return [a - b for a, b in zip(*next(iter(by_baseline.values())), strict=True)]

    def _answers(self, source: Source) -> tuple[GradedAnswers, GradedAnswers]:
        assert source.answers is not None
        return source.answers(self.one), source.answers(self.other)


def _change(answers: GradedAnswers) -> Array:
    """Against its own initial students [seeds, questions]."""
    return answers.paired(answers.method, INIT, answers.students)


def _all_students(results: Results, method: str) -> list[ComparisonCell]:
    return [c for c in results.comparisons if c.student == "all" and c.method == method]
