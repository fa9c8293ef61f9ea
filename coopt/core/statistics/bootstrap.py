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


def resampled_means(values: Array, draws: int, rng: np.random.Generator) -> Array:
    """Means [draws] of resamples of ``values``, as with ``resample_weights`` from the same generator, whose weights are
    held for a few draws at a time. Of very many values: the normal limit, which 2,000 draws do not tell from it."""
    count = len(values)
    if count > _MOST_RESAMPLED:
        found: Array = values.mean() + values.std() / np.sqrt(count) * rng.standard_normal(draws)
        return found
    each = max(1, _HELD // count)
    parts = [min(each, draws - k) for k in range(0, draws, each)]
    return np.concatenate([resample_weights(count, part, rng) @ values for part in parts])


_HELD = 1 << 20  # weights
_MOST_RESAMPLED = 20_000


def interval(draws: Array) -> tuple[float, float]:
    """The percentile interval of bootstrap draws."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)
