"""Many claims at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979), in the order given: below alpha in all cells of a family, the
    probability of one false finding among them is at most alpha."""
    order = np.argsort(p_values)
    # Holm: the k-th smallest of m is multiplied by m - k + 1; a larger p never gets a smaller adjusted one.
    steps = np.asarray(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]
