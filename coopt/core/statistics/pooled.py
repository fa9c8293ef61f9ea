"""Rates over answers, several to a question: the question is the unit."""

from __future__ import annotations

from typing import NamedTuple

from coopt.core.statistics.crossed import ratio
from coopt.core.statistics.design import Array, Design
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.verdicts import LEAST_QUESTIONS


class Pooled(NamedTuple):
    """A rate with its 95 % interval; None where the questions are too few for one."""

    value: float
    low: float | None
    high: float | None


def pooled(above_SQ: Array, below_SQ: Array, design: Design, *, is_share: bool = True) -> Pooled:
    """sum(above) / sum(below) over seeds and questions, below positive somewhere. ``is_share``: it lies between 0 and
    1; else it is a difference of two shares."""
    value = float(above_SQ.sum() / below_SQ.sum())
    found = ratio(above_SQ, below_SQ, design)
    if found is None or design.questions < LEAST_QUESTIONS:
        return Pooled(value, None, None)
    low, high = proportion_interval(found.spread) if is_share else found.spread.at_least().interval()
    return Pooled(value, low, high)
