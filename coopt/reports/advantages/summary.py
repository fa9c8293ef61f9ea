"""Indices by arm: means over rollouts, intervals by resampling questions, and arms against one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval_of_ratio, resample_weights
from coopt.reports.advantages.traces import Group, Trace


class Estimate(NamedTuple):
    """A mean over ``rollouts``. The interval resamples questions; None with fewer than two."""

    rollouts: int
    questions: int
    value: float | None
    low: float | None = None
    high: float | None = None


class Pairs(NamedTuple):
    """Two arms on the same response to the same prompt: ``both`` of a group in both, ``equal`` with the same text."""

    equal: list[tuple[Trace, Trace]]
    both: int


def mean(traces: Sequence[Trace], name: str, draws: int) -> Estimate:
    """The mean of an index over the rollouts that have it."""
    found = [(t.item.id, v, 1.0) for t in traces if (v := t.indices.get(name)) is not None]
    return _estimate(found, draws)


def contrast(traces: Sequence[Trace], draws: int) -> Estimate:
    """Mean |A| from the first error on over mean |A| before it, each a mean over the rollouts that have both."""
    pairs = [(t.item.id, t.indices.get("size_from"), t.indices.get("size_before")) for t in traces]
    return _estimate([(item, a, b) for item, a, b in pairs if a is not None and b is not None], draws)


def pairs(traces: Sequence[Trace], method: str, baseline: str, group: Group) -> Pairs:
    """The rollouts of two arms side by side. Only those with one text are compared: their tokens are the same, and only
    the teacher (after some steps also the student) differs."""
    own, other = ({t.place: t for t in traces if t.method == m and t.group == group} for m in (method, baseline))
    both = [(t, other[place]) for place, t in own.items() if place in other]
    return Pairs([(a, b) for a, b in both if a.tokens == b.tokens], len(both))


def mean_difference(found: Pairs, name: str, draws: int) -> Estimate:
    """The mean of an index' difference over the pairs of one text."""
    differences = [
        (a.item.id, x - y, 1.0)
        for a, b in found.equal
        if (x := a.indices.get(name)) is not None and (y := b.indices.get(name)) is not None
    ]
    return _estimate(differences, draws)


def profile(traces: Sequence[Trace], reach: int, draws: int) -> dict[int, Estimate]:
    """Mean A by position from the first error (0 is its token), up to ``reach`` tokens either way."""
    wrong = [t for t in traces if t.error is not None]
    found: dict[int, Estimate] = {}
    for at in range(-reach, reach + 1):
        values = [
            (t.item.id, float(t.values[t.error + at]), 1.0)
            for t in wrong
            if t.error is not None and 0 <= t.error + at < len(t.values)
        ]
        found[at] = _estimate(values, draws)
    return found


def _estimate(found: Sequence[tuple[str, float, float]], draws: int) -> Estimate:
    """sum(above) / sum(below) of (question, above, below), questions resampled."""
    if not found:
        return Estimate(0, 0, None)
    questions, cluster = np.unique([item for item, _, _ in found], return_inverse=True)
    count = len(questions)
    above, below = (np.bincount(cluster, [f[k] for f in found], count) for k in (1, 2))
    if below.sum() <= 0:
        return Estimate(len(found), count, None)
    value = float(above.sum() / below.sum())
    if count < 2:
        return Estimate(len(found), count, value)
    weights = resample_weights(count, draws, generator("advantages"))
    low, high = interval_of_ratio(weights @ above, weights @ below) or (None, None)
    return Estimate(len(found), count, value, low, high)
