"""Intervals of proportions that keep their width at 0 and 100 %."""

from __future__ import annotations

from scipy.special import betainccinv, betaincinv, ndtri  # not scipy.stats, which takes a second to import

from coopt.core.statistics.crossed import ALPHA, Estimate

_EDGE = 1e-12
_FEW = 5
"""Clusters' worth of right or wrong answers, below which their spread says too little of how independent they are."""


def proportion_interval(found: Estimate) -> tuple[float, float]:
    """The interval of a mean of values between 0 and 1: that of a binomial share (by Jeffreys' prior) of as many
    independent answers as would give it the same half-width (after Korn and Graubard 1998, Survey Methodology 24:193).
    Near the bounds a cluster counts as one answer at most."""
    share = min(max(found.value, 0.0), 1.0)
    spread, half = share * (1 - share), found.half_width()
    answers = spread * (ndtri(ALPHA / 2) / half) ** 2 if half > _EDGE and spread > _EDGE else float(found.clusters)
    if min(share, 1 - share) * found.clusters < _FEW:
        answers = min(answers, float(found.clusters))
    right, wrong = share * answers, (1 - share) * answers
    low = betaincinv(right + 0.5, wrong + 0.5, ALPHA / 2) if share > _EDGE else 0.0
    high = betainccinv(right + 0.5, wrong + 0.5, ALPHA / 2) if share < 1 - _EDGE else 1.0
    return min(float(low), share), max(float(high), share)
