"""When a change may be called one: an interval clear of zero, the same sign in every seed, and Holm over the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from coopt.core.statistics.bootstrap import Array, interval
from coopt.core.statistics.significance import ALPHA, detectable, holm, p_value

Verdict = Literal["improves", "worse", "no difference shown"]


class Change(NamedTuple):
    """A seed-averaged difference with its paired interval and the difference of every seed. ``p``: of no difference;
    ``detectable``: the smallest one that would be shown in four of five repeats."""

    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    verdict: Verdict
    p: float
    detectable: float


def change(differences_SQ: Array, weights_BQ: Array) -> Change:
    """The change from per-seed, per-question differences [seeds, questions] and bootstrap weights."""
    per_seed = tuple(float(x) for x in differences_SQ.mean(axis=1))
    # Questions are resampled jointly for all seeds: the seeds answered the same ones.
    draws = weights_BQ @ differences_SQ.mean(axis=0)
    low, high = interval(draws)
    value = float(np.mean(per_seed))
    p = p_value(value, draws)
    return Change(value, low, high, per_seed, verdict(low, high, per_seed, p), p, detectable(draws))


def corrected(changes: Sequence[Change]) -> list[Change]:
    """The changes of one table, p-values adjusted by Holm over all of them and verdicts by these."""
    adjusted = holm([c.p for c in changes])
    return [
        c._replace(p=p, verdict=verdict(c.low, c.high, c.per_seed, p)) for c, p in zip(changes, adjusted, strict=True)
    ]


def verdict(low: float, high: float, per_seed: Sequence[float], p: float = 0.0) -> Verdict:
    """``improves`` or ``worse`` only if the interval excludes zero, ``p`` is below 0.05 and no seed disagrees."""
    if low > 0 and min(per_seed) > 0 and p < ALPHA:
        return "improves"
    if high < 0 and max(per_seed) < 0 and p < ALPHA:
        return "worse"
    return "no difference shown"
