"""Bootstrap over questions: the same resampled questions for everything that is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.95


def resample_weights(items: int, draws: int, rng: np.random.Generator) -> Array:
    """Weights [draws, items] of a bootstrap: each line sums to 1, so that ``weights @ values`` are means.

    Resampling as weights makes joint resampling of students, methods and seeds a matrix product.
    """
    # Counts of a resample with replacement are multinomial; divided by n they are a mean's weights.
    return rng.multinomial(items, np.full(items, 1.0 / items), size=draws) / items


def interval(draws: Array) -> tuple[float, float]:
    """The percentile interval of bootstrap draws."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)


def ratio_interval(
    numerators: Array, denominators: Array, draws: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """Interval of sum(numerators) / sum(denominators), clusters (questions) resampled.

    None if there are no clusters or no draw has a denominator.
    """
    if len(numerators) == 0:
        return None
    weights = resample_weights(len(numerators), draws, rng)
    return interval_of_ratio(weights @ numerators, weights @ denominators)


def interval_of_ratio(above: Array, below: Array) -> tuple[float, float] | None:
    """The percentile interval of above / below over the draws whose denominator is positive; None if none is."""
    # A draw without a denominator says nothing about the ratio; 0 / 0 as 0 would pull the interval down.
    usable = below > 0
    return interval(above[usable] / below[usable]) if usable.any() else None
