"""Break- and fix-rates from the probe's grids, with intervals clustered by question.

Each rate with feedback stands beside its control on the same answers: ``again`` (no context) for f,
``s only`` for s and f.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import Array, ratio_interval

# Wrong answers of eight before feedback, scaled to n: label -> (lowest, highest).
DIFFICULTY: dict[str, tuple[int, int]] = {
    "all": (0, 8),
    "very easy (0-1)": (0, 1),
    "easy (0-4)": (0, 4),
    "hard (5-7)": (5, 7),
    "hardest (7)": (7, 7),
}
CONTEXTS = {"f": "again", "sf": "s"}
"""context -> its control"""


class Rate(NamedTuple):
    """A rate over ``n`` answers with its interval; rate and interval are None if n is too small."""

    n: int
    rate: float | None
    low: float | None
    high: float | None


class Grids(NamedTuple):
    """0/1 answers under one tutor [lines, n], NaN where a context does not exist; a line is a question of one
    tutee and seed. ``items`` names the question of each line: the same question is one cluster."""

    items: NDArray[np.str_]
    before: Array
    after: Array
    control: Array

    @classmethod
    def of(cls, domain: Mapping[str, Any], edge: str, context: str) -> Grids:
        parts = (domain["before"], domain["edges"][edge][context], domain[CONTEXTS[context]])
        before, after, control = (np.array(g, dtype=float) for g in parts)
        return cls(np.array(domain["items"]), before, after, np.where(np.isnan(after), np.nan, control))

    def where(self, lines: NDArray[np.bool_]) -> Grids:
        return Grids(self.items[lines], self.before[lines], self.after[lines], self.control[lines])


def stack(grids: Sequence[Grids]) -> Grids:
    """Several domains, tutees or seeds under one heading."""
    return Grids(*(np.concatenate(parts) for parts in zip(*grids, strict=True)))


def rates(grids: Grids, difficulty: str, minimum: int, draws: int) -> dict[str, Rate]:
    """``break``, ``fix`` and their controls, on questions of one difficulty.

    break = #(correct -> wrong) / #correct, fix = #(wrong -> correct) / #wrong.
    """
    low, high = (bound * grids.before.shape[1] / 8 for bound in DIFFICULTY[difficulty])
    wrong = grids.before.shape[1] - grids.before.sum(axis=1)
    chosen = grids.where((wrong >= low) & (wrong <= high))
    return {
        "break": _rate(chosen, 1, chosen.after, minimum, draws),
        "break_control": _rate(chosen, 1, chosen.control, minimum, draws),
        "fix": _rate(chosen, 0, chosen.after, minimum, draws),
        "fix_control": _rate(chosen, 0, chosen.control, minimum, draws),
    }


def _rate(grids: Grids, start: int, after: Array, minimum: int, draws: int) -> Rate:
    """Share of answers that were ``start`` and changed, among those that were ``start`` and were asked again."""
    asked = (grids.before == start) & ~np.isnan(after)
    changed = asked & (after != start)
    n = int(asked.sum())
    if n < minimum:
        return Rate(n, None, None, None)
    questions, cluster = np.unique(grids.items, return_inverse=True)
    above, below = (np.bincount(cluster, g.sum(axis=1), len(questions)).astype(float) for g in (changed, asked))
    bounds = ratio_interval(above, below, draws, generator("break-rate", start))
    low, high = bounds if bounds else (None, None)
    return Rate(n, float(changed.sum() / n), low, high)
