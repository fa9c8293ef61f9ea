"""Break-rates of two kinds of edges compared on the same tutees, so that a ratio is not one of whom they tutor.

The paper sets closed edges against open ones, and all of either lie on other tutees: its 2.4 may be composition. Here
strata are tutees (and questions' domains) that have both kinds, pooled by Mantel and Haenszel (1959, J. Natl. Cancer
Inst. 22:719): with A of the one kind's n and B of the other's m broken in a stratum, the ratio is
sum(A m / (n + m)) / sum(B n / (n + m)).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coopt.core.statistics.design import Array
from coopt.core.statistics.rate_ratio import Events, RateRatio, rate_ratio
from coopt.runs.measures.break_rates import Designs, Tally
from coopt.runs.results import Context, MatchedCell, Matching, RateCell


class EdgeTally(NamedTuple):
    """One edge's answers in one domain and context, and what it is compared by."""

    tally: Tally
    seed: int
    tutee: str
    domain: str
    context: Context
    open: bool
    own: bool | None
    """Whether the domain is the tutor's native one; None of a critic, which has none."""


def matched_cells(edges: Sequence[EdgeTally], minimum: int, designs: Designs) -> list[MatchedCell]:
    """Closed edges against open ones on the same tutee and domain, also apart by the tutor's domain; and what tutors
    say of other domains against what they say of their native one, to the same tutee. Each also unmatched."""
    found = []
    for context in dict.fromkeys(e.context for e in edges):
        here = [e for e in edges if e.context == context]
        for compared, matching, part in _COMPARISONS:
            chosen = [e for e in here if part is None or e.own is part]
            cell = _cell(chosen, compared, matching, minimum, designs)
            if cell is not None:
                where = {None: "all", True: "native", False: "other"}[part]
                found.append(cell.model_copy(update={"context": context, "domain": where}))
    return found


_GATES, _DOMAINS = "closed / open", "other / native"
_COMPARISONS: tuple[tuple[str, Matching, bool | None], ...] = (
    (_GATES, "none", None),
    (_GATES, "tutee and domain", None),
    (_GATES, "tutee and domain", True),
    (_GATES, "tutee and domain", False),
    (_DOMAINS, "none", None),
    (_DOMAINS, "tutee", None),
)


def _cell(
    edges: Sequence[EdgeTally], compared: str, matching: Matching, minimum: int, designs: Designs
) -> MatchedCell | None:
    """None where no stratum has both kinds."""
    strata: dict[Hashable, dict[bool, list[Tally]]] = defaultdict(lambda: {True: [], False: []})
    for e in edges:
        is_first = not e.open if compared == _GATES else None if e.own is None else not e.own
        if is_first is not None:
            strata[_stratum(e, matching)][is_first].append(e.tally)
    both = [kinds for kinds in strata.values() if _asked(kinds[True]) and _asked(kinds[False])]
    if not both:
        return None
    sides = _Sums(), _Sums()
    for kinds in both:
        n, m = _asked(kinds[True]), _asked(kinds[False])
        sides[0].add(kinds[True], m / (n + m))
        sides[1].add(kinds[False], n / (n + m))
    answers = [sum(_asked(kinds[first]) for kinds in both) for first in (True, False)]
    enough = min(answers) >= minimum
    ratio = _ratio(sides, designs) if enough else None
    first, second = (
        RateCell(answers=n, questions=s.questions, rate=s.rate if n >= minimum else None)
        for n, s in zip(answers, sides, strict=True)
    )
    return MatchedCell(
        compared=compared,
        matched=matching,
        context="paper",
        domain="all",
        strata=len(both),
        first=first,
        second=second,
        ratio=ratio.value if ratio else None,
        low=ratio.low if ratio else None,
        high=ratio.high if ratio else None,
    )


def _stratum(edge: EdgeTally, matching: Matching) -> Hashable:
    if matching == "none":
        return ()
    own = (edge.seed, edge.tutee)
    return own if matching == "tutee" else (*own, edge.domain)


def _asked(tallies: Sequence[Tally]) -> int:
    """Right answers that were asked again."""
    return int(sum(t.asked_KL[0].sum() for t in tallies))


class _Sums:
    """Weighted numbers of right answers asked again, and of those that broke, a line a question of a seed."""

    def __init__(self) -> None:
        self.items: list[NDArray[Any]] = []
        self.seeds: list[NDArray[np.int64]] = []
        self.asked: list[Array] = []
        self.broke: list[Array] = []

    def add(self, tallies: Sequence[Tally], weight: float) -> None:
        for tally in tallies:
            kept_L = tally.asked_KL[0] > 0
            self.items.append(tally.items[kept_L])
            self.seeds.append(tally.seeds[kept_L])
            self.asked.append(weight * tally.asked_KL[0, kept_L])
            self.broke.append(weight * tally.changed_KL[0, kept_L])

    @property
    def questions(self) -> int:
        return len(np.unique(np.concatenate(self.items)))

    @property
    def rate(self) -> float:
        return float(sum(b.sum() for b in self.broke) / sum(a.sum() for a in self.asked))

    def laid_out(self, seeds: NDArray[np.int64], questions: NDArray[Any]) -> Events:
        """[seeds, questions] each."""
        at = np.searchsorted(seeds, np.concatenate(self.seeds)), np.searchsorted(questions, np.concatenate(self.items))
        place, shape = np.ravel_multi_index(at, (len(seeds), len(questions))), (len(seeds), len(questions))
        broke, asked = (
            np.bincount(place, np.concatenate(x), shape[0] * shape[1]).reshape(shape).astype(float)
            for x in (self.broke, self.asked)
        )
        return Events(broke, asked)


def _ratio(sides: tuple[_Sums, _Sums], designs: Designs) -> RateRatio | None:
    seeds, questions = (
        np.unique(np.concatenate([x for side in sides for x in getattr(side, what)])) for what in ("seeds", "items")
    )
    first, second = (side.laid_out(seeds, questions) for side in sides)
    return rate_ratio(first, second, designs(questions))
