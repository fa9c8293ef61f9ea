"""Indices by arm: means over rollouts, intervals over questions, and arms against one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coopt.core.statistics.crossed import ratio
from coopt.core.statistics.design import make_design
from coopt.domains.base import Item
from coopt.reports.advantages.traces import Group, Trace


class Estimate(NamedTuple):
    """A mean over ``rollouts``. The interval is over questions; None with fewer than two."""

    rollouts: int
    questions: int
    value: float | None
    low: float | None = None
    high: float | None = None


class Pairs(NamedTuple):
    """Two arms on the same response to the same prompt: ``both`` of a group in both, ``equal`` with the same text."""

    equal: list[tuple[Trace, Trace]]
    both: int


def mean(traces: Sequence[Trace], name: str) -> Estimate:
    """The mean of an index over the rollouts that have it."""
    found = [(t.item, v, 1.0) for t in traces if (v := t.indices.get(name)) is not None]
    return _estimate(found)


def contrast(traces: Sequence[Trace]) -> Estimate:
    """Mean |A| from the first error on over mean |A| before it, each a mean over the rollouts that have both."""
    pairs = [(t.item, t.indices.get("size_from"), t.indices.get("size_before")) for t in traces]
    return _estimate([(item, a, b) for item, a, b in pairs if a is not None and b is not None])


def pairs(traces: Sequence[Trace], method: str, baseline: str, group: Group) -> Pairs:
    """The rollouts of two arms side by side. Only those with one text are compared: their tokens are the same, and only
    the teacher (after some steps also the student) differs."""
    own, other = ({t.place: t for t in traces if t.method == m and t.group == group} for m in (method, baseline))
    both = [(t, other[place]) for place, t in own.items() if place in other]
    return Pairs([(a, b) for a, b in both if a.tokens == b.tokens], len(both))


def mean_difference(found: Pairs, name: str) -> Estimate:
    """The mean of an index' difference over the pairs of one text."""
    differences = [
        (a.item, x - y, 1.0)
        for a, b in found.equal
        if (x := a.indices.get(name)) is not None and (y := b.indices.get(name)) is not None
    ]
    return _estimate(differences)


def profile(traces: Sequence[Trace], reach: int) -> dict[int, Estimate]:
    """Mean A by position from the first error (0 is its token), up to ``reach`` tokens either way."""
    wrong = [t for t in traces if t.error is not None]
    found: dict[int, Estimate] = {}
    for at in range(-reach, reach + 1):
        values = [
            (t.item, float(t.values[t.error + at]), 1.0)
            for t in wrong
            if t.error is not None and 0 <= t.error + at < len(t.values)
        ]
        found[at] = _estimate(values)
    return found


def _estimate(found: Sequence[tuple[Item, float, float]]) -> Estimate:
    """sum(above) / sum(below) of (question, above, below), over questions."""
    if not found:
        return Estimate(0, 0, None)
    clusters = {item.id: item.clusters for item, _, _ in found}
    questions, place = np.unique([item.id for item, _, _ in found], return_inverse=True)
    above = np.bincount(place, [f[1] for f in found], len(questions)).astype(float)[None]
    below = np.bincount(place, [f[2] for f in found], len(questions)).astype(float)[None]
    if below.sum() <= 0:
        return Estimate(len(found), len(questions), None)
    value = float(above.sum() / below.sum())
    spread = ratio(above, below, make_design([[clusters[q] for q in questions]])) if len(questions) > 1 else None
    return Estimate(len(found), len(questions), value, *((spread.low, spread.high) if spread else ()))
