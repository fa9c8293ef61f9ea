"""Divide rows over ranks so that each has about the same work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shares(rows: Sequence[T], cost: Callable[[T], int], ranks: int) -> list[list[T]]:
    """One list a rank, each in the order of ``rows``. The dearest row goes first, always to the rank with the least
    work so far (Graham's LPT rule: at most 4/3 of the best longest share)."""
    work = [0] * ranks
    chosen: list[list[int]] = [[] for _ in range(ranks)]
    for k in sorted(range(len(rows)), key=lambda k: -cost(rows[k])):
        least = work.index(min(work))
        work[least] += cost(rows[k])
        chosen[least].append(k)
    return [[rows[k] for k in sorted(own)] for own in chosen]
