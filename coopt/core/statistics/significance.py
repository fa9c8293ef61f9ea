"""How sure a difference is: p-values of bootstrap draws, Holm's correction, the smallest effect to be seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from coopt.core.statistics.bootstrap import Array

ALPHA = 0.05
POWER = 0.8


def p_value(value: float, draws_B: Array) -> float:
    """Two-sided p of no difference: ``value`` over the bootstrap's standard error, as a normal deviate. Percentiles of
    2,000 draws cannot tell p below 0.001, which a correction over many cells needs."""
    error = float(draws_B.std(ddof=1))
    if error < 1e-12:  # every question moved alike, or none did
        return 1.0 if abs(value) < 1e-12 else 0.0
    return float(2 * stats.norm.sf(abs(value) / error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979), in the order given: below alpha in all cells of a family, the
    probability of one false finding among them is at most alpha."""
    order = np.argsort(p_values)
    # Holm: the k-th smallest of m is multiplied by m - k + 1; a larger p never gets a smaller adjusted one.
    steps = np.asarray(p_values, dtype=float)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in adjusted]


def detectable(draws_B: Array) -> float:
    """The smallest true difference that a test at ``ALPHA`` would show with probability ``POWER``."""
    error = float(draws_B.std(ddof=1))
    # (z_{1 - alpha/2} + z_power) times the standard error.
    return float(error * (stats.norm.isf(ALPHA / 2) + stats.norm.isf(1 - POWER)))
