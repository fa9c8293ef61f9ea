"""Break- and fix-rates from the probe's grids, with intervals over seeds and questions.

Each rate with feedback stands beside its control on the same answers: ``again`` (no context) for f, ``s only`` for s
and f, "s if there is one" for the paper's context (``coopt.methods.break_rate``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coopt.core.statistics.crossed import ratio
from coopt.core.statistics.design import Array, Clusters, make_design
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.verdicts import LEAST_QUESTIONS
from coopt.runs.results import Context, RateCell

# Wrong answers of eight before feedback, scaled to n: label -> (lowest, highest). The paper's Table 2 has 0-4 and 5-7,
# which hold the first and the last of these once more.
DIFFICULTY: dict[str, tuple[int, int]] = {
    "all": (0, 8),
    "very easy (0-1)": (0, 1),
    "easy (2-4)": (2, 4),
    "hard (5-6)": (5, 6),
    "hardest (7)": (7, 7),
}
CONTEXTS: dict[Context, str] = {"paper": "paper_control", "sf": "s", "f": "again"}
"""context -> its control"""


class Grids(NamedTuple):
    """0/1 answers under one tutor [lines, n], NaN where a context does not exist; a line is a question of one
    tutee and seed. ``items`` names the question of each line, ``seeds`` its seed."""

    items: NDArray[np.str_]
    seeds: NDArray[np.int64]
    before: Array
    after: Array
    control: Array

    @classmethod
    def of(cls, domain: Mapping[str, Any], edge: str, context: Context, seed: int) -> Grids:
        parts = (domain["before"], domain["edges"][edge][context], domain[CONTEXTS[context]])
        before, after, control = (np.array(g, dtype=float) for g in parts)
        items = np.array(domain["items"])
        seeds = np.full(len(items), seed)
        return cls(items, seeds, before, after, np.where(np.isnan(after), np.nan, control))

    def where(self, lines: NDArray[np.bool_]) -> Grids:
        own = (self.before[lines], self.after[lines], self.control[lines])
        return Grids(self.items[lines], self.seeds[lines], *own)


def stack(grids: Sequence[Grids]) -> Grids:
    """Several domains, tutees or seeds under one heading."""
    return Grids(*(np.concatenate(parts) for parts in zip(*grids, strict=True)))


def rates(grids: Grids, difficulty: str, minimum: int, clusters: Mapping[str, Clusters]) -> dict[str, RateCell]:
    """``break``, ``fix``, their controls, and what they are more than these (``break_more``, ``fix_more``), on
    questions of one difficulty. ``clusters``: of every question.

    break = #(correct -> wrong) / #correct, fix = #(wrong -> correct) / #wrong.
    """
    low, high = (bound * grids.before.shape[1] / 8 for bound in DIFFICULTY[difficulty])
    wrong = grids.before.shape[1] - grids.before.sum(axis=1)
    chosen = grids.where((wrong >= low) & (wrong <= high))
    found = {}
    for kind, start in (("break", 1), ("fix", 0)):
        asked = (chosen.before == start) & ~np.isnan(chosen.after)
        after, control = (asked & (x != start) for x in (chosen.after, chosen.control))
        more = after.astype(float) - control
        for name, changed in ((kind, after), (f"{kind}_control", control), (f"{kind}_more", more)):
            found[name] = _rate(chosen, asked, changed.astype(float), minimum, clusters, is_share=changed is not more)
    return found


def _rate(
    grids: Grids,
    asked: NDArray[np.bool_],
    changed: Array,
    minimum: int,
    clusters: Mapping[str, Clusters],
    is_share: bool,
) -> RateCell:
    """Share of the answers ``asked`` again that ``changed``; where not ``is_share``, a difference of two shares."""
    answers = int(asked.sum())
    questions, question = np.unique(grids.items[asked.any(axis=1)], return_inverse=True)
    if answers < minimum or not answers:
        return RateCell(answers=answers, questions=len(questions))
    seeds, seed = np.unique(grids.seeds[asked.any(axis=1)], return_inverse=True)
    above_SQ, below_SQ = np.zeros((2, len(seeds), len(questions)))
    for sums, values in ((above_SQ, changed), (below_SQ, asked)):
        np.add.at(sums, (seed, question), values[asked.any(axis=1)].sum(axis=1))
    found = ratio(above_SQ, below_SQ, make_design([[clusters.get(q, ()) for q in questions]]))
    low, high = None, None
    if found and len(questions) >= LEAST_QUESTIONS:
        low, high = proportion_interval(found.spread) if is_share else found.spread.at_least().interval()
    rate = float(changed.sum() / answers)
    return RateCell(answers=answers, questions=len(questions), rate=rate, low=low, high=high)
