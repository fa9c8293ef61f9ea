"""When a change may be called one (design: an interval clear of zero and the same sign in every seed)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from coopt.metrics.bootstrap import Array, interval

Verdict = Literal["improves", "worse", "no difference shown"]


class Change(NamedTuple):
    """A seed-averaged difference with its paired interval and the difference of every seed."""

    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    verdict: Verdict


def change(differences_SQ: Array, weights_BQ: Array) -> Change:
    """The change from per-seed, per-question differences [seeds, questions] and bootstrap weights."""
    per_seed = tuple(float(x) for x in differences_SQ.mean(axis=1))
    low, high = interval(weights_BQ @ differences_SQ.mean(axis=0))
    return Change(float(np.mean(per_seed)), low, high, per_seed, verdict(low, high, per_seed))


def verdict(low: float, high: float, per_seed: Sequence[float]) -> Verdict:
    """``improves`` or ``worse`` only if the interval excludes zero and no seed disagrees."""
    if low > 0 and min(per_seed) > 0:
        return "improves"
    if high < 0 and max(per_seed) < 0:
        return "worse"
    return "no difference shown"
