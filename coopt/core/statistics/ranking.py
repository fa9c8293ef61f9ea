"""Ranks with intervals; methods that are not shown to differ share one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import stats

from coopt.core.statistics.bootstrap import Array, interval
from coopt.core.statistics.significance import ALPHA, holm, p_value


class Rank(NamedTuple):
    """``rank``: 1 + the number of those shown to be better (pairs, Holm, in every seed that both have). ``low`` to
    ``high``: 95 % of the places by value alone over bootstrap draws, which need not hold the rank."""

    rank: int
    low: int
    high: int


PerSeed = Mapping[int, float]
"""seed -> value"""


def ranks(
    values: Mapping[str, float], draws_B: Mapping[str, Array], per_seed: Mapping[str, PerSeed]
) -> dict[str, Rank]:
    """Ranks by value, the highest first. ``draws_B``: bootstrap draws of the values, paired between names."""
    names = list(values)
    pairs = list(combinations(names, 2))
    adjusted = holm([p_value(values[a] - values[b], draws_B[a] - draws_B[b]) for a, b in pairs])
    better: dict[str, int] = dict.fromkeys(names, 0)
    for (a, b), p in zip(pairs, adjusted, strict=True):
        high, low = (a, b) if values[a] > values[b] else (b, a)
        if p < ALPHA and _in_every_seed(per_seed[high], per_seed[low]):
            better[low] += 1
    # Places by value in every draw; ties share the better place.
    drawn_BN = stats.rankdata(-np.array([draws_B[n] for n in names]).T, method="min", axis=1)
    spans = [interval(drawn_BN[:, k]) for k in range(len(names))]
    return {
        n: Rank(1 + better[n], int(np.floor(low)), int(np.ceil(high)))
        for n, (low, high) in zip(names, spans, strict=True)
    }


def _in_every_seed(high: PerSeed, low: PerSeed) -> bool:
    """Whether every seed that both have says so too, as a verdict asks it (``coopt.core.statistics.verdicts``)."""
    return all(high[seed] > low[seed] for seed in high.keys() & low.keys())
