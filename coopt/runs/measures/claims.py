"""Every difference that the tables of a run claim something of, corrected as one family: what is false in five of a
hundred runs is any claim, and not one in every table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from coopt.core.names import INIT
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.ranking import Pair, pairs_of
from coopt.core.statistics.verdicts import MARGIN, Change, Key, corrected, or_equivalent

ALL = "all"
"""The mean of all students."""
Compared = tuple[str, str, str]
"""Method, baseline, student (or all)."""
Apart = tuple[str, str, str, str]
"""Method, baseline, student, domain."""


class Claims(NamedTuple):
    """``changes``: by method, student and domain, against the initial student. ``comparisons``: of methods, on the mean
    of all domains. ``apart``: the same two methods by student and domain, of which
    nothing is claimed by itself, so they are not corrected. ``pairs``: all students' means, of the
    initial students and all methods, each two once. ``gains``: by method and rank at the start."""

    changes: dict[tuple[str, str, str], Change]
    comparisons: dict[Compared, Change]
    apart: dict[Apart, Change]
    pairs: dict[Pair, Change]
    gains: dict[tuple[str, int], Change]


def claims_of(
    scores: Paired, compared: Sequence[Pair], gains: Mapping[tuple[str, int], Change] | None = None
) -> Claims:
    """``compared``: methods and their baselines; ``gains``: not corrected yet."""
    changes = {
        (m, s, d): scores.change(m, s, d) for m in scores.methods for s in scores.students for d in scores.domains
    }
    single = [(s, [s]) for s in scores.students] if len(scores.students) > 1 else []
    comparisons = {
        (m, b, name): scores.between(m, b, group)
        for m, b in compared
        for name, group in [*single, (ALL, list(scores.students))]
    }
    apart = {
        (m, b, s, d): scores.change(m, s, d, b) for m, b in compared for s in scores.students for d in scores.domains
    }
    known = {frozenset(pair) for pair in compared}
    others = {
        (a, b): scores.between(a, b, scores.students)
        for a, b in pairs_of([INIT, *scores.methods])
        if frozenset((a, b)) not in known
    }
    every = [*changes.values(), *comparisons.values(), *others.values(), *(gains or {}).values()]
    found = iter(corrected(every))

    def own(part: Mapping[Key, Change]) -> dict[Key, Change]:
        return {key: next(found) for key in part}

    changes, comparisons, others = own(changes), own(comparisons), own(others)
    pairs = others | {(m, b): c for (m, b, name), c in comparisons.items() if name == ALL}
    return Claims(changes, or_equivalent(comparisons, MARGIN), apart, pairs, own(gains or {}))
