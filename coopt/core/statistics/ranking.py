"""Ranks by what was measured, and the places that are possible given how well it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coopt.core.statistics.design import Array
from coopt.core.statistics.verdicts import Change

_ROUNDING = 1e-9  # values of the same answers added up in another order


class Rank(NamedTuple):
    """``rank``: 1 + the number of larger values; equal ones share it. ``first``: 1 + the number of those shown to be
    better; ``last``: the number of all less those shown to be worse. All true places lie from first to last at once
    with 95 % (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91:476). What is shown to be better
    has the larger value, so the rank lies there too."""

    rank: int
    first: int
    last: int


Pair = tuple[str, str]


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """Every two, once."""
    return list(combinations(names, 2))


def ranks(values: Mapping[str, float], differences: Mapping[Pair, Change]) -> dict[str, Rank]:
    """``values``: by name, more is better; ``differences``: first minus second of every pair (``pairs_of``), corrected
    (``verdicts.corrected``)."""
    names = list(values)
    better_NN = np.zeros((len(names), len(names)), dtype=bool)
    number = {n: k for k, n in enumerate(names)}
    for (a, b), found in differences.items():
        if found.verdict in ("improves", "worse"):
            high, low = (a, b) if found.verdict == "improves" else (b, a)
            better_NN[number[high], number[low]] = True
    return dict(zip(names, ranked(np.array(list(values.values())), better_NN), strict=True))


def ranked(values_N: Array, better_NN: NDArray[np.bool_]) -> list[Rank]:
    """``better_NN[i, j]``: i is shown to be better than j (``pairs.shown_better``)."""
    firsts, lasts = 1 + better_NN.sum(axis=0), len(values_N) - better_NN.sum(axis=1)
    return [Rank(n, int(a), int(b)) for n, a, b in zip(ranks_of(values_N), firsts, lasts, strict=True)]


def ranks_of(values_N: Array | Sequence[float]) -> list[int]:
    """By the values themselves: 1 + the number of larger ones."""
    values_N = np.asarray(values_N, dtype=float)
    larger_N = len(values_N) - np.searchsorted(np.sort(values_N), values_N + _ROUNDING, side="right")
    return [1 + int(n) for n in larger_N]
