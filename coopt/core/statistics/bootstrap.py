"""Bootstrap, for what is no mean of questions: a gate's decision, and simulated runs."""

from __future__ import annotations

import numpy as np

from coopt.core.statistics.crossed import LEVEL
from coopt.core.statistics.design import Array


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
