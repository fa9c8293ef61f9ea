"""Ranks and the places that they leave open; what is not shown to differ shares a rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from coopt.core.statistics.verdicts import Change


class Rank(NamedTuple):
    """``rank``: 1 + the number of those shown to be better. ``last``: the last place that is possible, the number of
    all less those shown to be worse. All true places lie from rank to last at once with 95 % (Mogstad, Romano, Shaikh
    and Wilhelm 2024, Review of Economic Studies 91:476)."""

    rank: int
    last: int


Pair = tuple[str, str]


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """Every two, once."""
    return list(combinations(names, 2))


def ranks(names: Sequence[str], differences: Mapping[Pair, Change]) -> dict[str, Rank]:
    """``differences``: first minus second of every pair (``pairs_of``), corrected (``verdicts.corrected``)."""
    better, worse = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for (a, b), found in differences.items():
        if found.verdict in ("improves", "worse"):
            high, low = (a, b) if found.verdict == "improves" else (b, a)
            better[low] += 1
            worse[high] += 1
    return {n: Rank(1 + better[n], len(names) - worse[n]) for n in names}
