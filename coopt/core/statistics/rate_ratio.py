"""The ratio of two rates, with an interval that stays above zero."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from coopt.core.statistics.crossed import estimate
from coopt.core.statistics.design import Array, Design
from coopt.core.statistics.verdicts import LEAST_QUESTIONS

LEAST_WITH_EVENTS = 5
"""Questions with events, no two of a common cluster, that either side must have for an interval."""


class Events(NamedTuple):
    """How many of how many, [seeds, questions] each; both may be weighted."""

    count_SQ: Array
    of_SQ: Array


class RateRatio(NamedTuple):
    """A ratio with its 95 % interval; None where the questions, or those with events, are too few for one."""

    value: float
    low: float | None
    high: float | None


def rate_ratio(above: Events, below: Events, design: Design) -> RateRatio | None:
    """The one rate divided by the other. Its interval is that of the logarithm, whose variance by the delta method is
    that of the mean of a / mean(a) - n / mean(n) of the one less the same of the other (a counts of n). With the
    weights of Mantel and Haenszel it is their ratio over strata (Greenland and Robins 1985, Biometrics 41:55). None
    where either rate is zero or unknown. No interval where either side's events lie on fewer than ``LEAST_WITH_EVENTS``
    questions that have no cluster in common: the variance is then that of a handful of residuals, and if all events of
    both sides lie on one question the two cancel, so that its width would be 0."""
    means = [[float(design.mean(x_SQ).mean()) for x_SQ in side] for side in (above, below)]
    if any(mean <= 0 for side in means for mean in side):
        return None
    value = (means[0][0] / means[0][1]) / (means[1][0] / means[1][1])
    events = min(_with_events(side.count_SQ, design) for side in (above, below))
    if design.questions < LEAST_QUESTIONS or events < LEAST_WITH_EVENTS:
        return RateRatio(value, None, None)
    first, second = (
        events.count_SQ / count - events.of_SQ / of for events, (count, of) in zip((above, below), means, strict=True)
    )
    half = estimate(first - second, design).half_width()
    low, high = (float(value * np.exp(side * half)) for side in (-1, 1))
    return RateRatio(value, low, high)


def _with_events(count_SQ: Array, design: Design) -> int:
    """Questions with an event in some seed, each counted unless it shares a cluster with one counted before."""
    counted, taken_Q = 0, np.zeros(count_SQ.shape[1], dtype=bool)
    for question in np.flatnonzero(count_SQ.any(axis=0)):
        if not taken_Q[question]:
            counted += 1
            taken_Q[design.pairs_QQ[[question]].indices] = True
    return counted
