"""Intervals of proportions that keep their width at 0 and 100 %."""

from __future__ import annotations

from scipy.stats import beta, norm

from coopt.core.statistics.crossed import ALPHA, Estimate

_EDGE = 1e-12


def proportion_interval(found: Estimate) -> tuple[float, float]:
    """The interval of a mean of values between 0 and 1: that of a binomial share (by Jeffreys' prior) of as many
    independent answers as would give it the same half-width (after Korn and Graubard 1998, Survey Methodology 24:193).
    Where all answers are alike the clusters count, one more than their degrees of freedom."""
    share = min(max(found.value, 0.0), 1.0)
    spread = share * (1 - share)
    half = found.of_answers().half_width()
    answers = spread * (norm.isf(ALPHA / 2) / half) ** 2 if spread > _EDGE else found.of_questions.df + 1
    right, wrong = share * answers, (1 - share) * answers
    low = beta.ppf(ALPHA / 2, right + 0.5, wrong + 0.5) if share > _EDGE else 0.0
    high = beta.isf(ALPHA / 2, right + 0.5, wrong + 0.5) if share < 1 - _EDGE else 1.0
    return min(float(low), found.value), max(float(high), found.value)
