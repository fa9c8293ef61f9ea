"""Break- and fix-rates from the probe's grids, with intervals over seeds and questions.

Each rate with feedback stands beside its control on the same answers: ``again`` (no context) for f, ``s only`` for s
and f, "s if there is one" for the paper's context (``coopt.methods.break_rate``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coopt.core.statistics.design import Array, Clusters, Design, make_design
from coopt.core.statistics.pooled import pooled
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


Counts = NDArray[np.int32]


class Grids(NamedTuple):
    """0/1 answers under one tutor [lines, n], NaN where a context does not exist; a line is a question of one
    tutee and seed. ``items`` names the question of each line, ``seeds`` its seed."""

    items: NDArray[Any]
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


_STARTS = (("break", 1), ("fix", 0))


class Tally(NamedTuple):
    """What rates are made from: of every line of grids how many answers are wrong, and of those that a kind of rate is
    about (right ones for ``break``, wrong ones for ``fix``; the first axis) how many were asked again and how many of
    these changed, with feedback and in the control. ``answers``: of a line."""

    items: NDArray[Any]
    seeds: NDArray[np.int64]
    answers: int
    wrong_L: Counts
    asked_KL: Counts
    changed_KL: Counts
    control_KL: Counts

    @classmethod
    def of(cls, grids: Grids) -> Tally:
        asked = [(grids.before == start) & ~np.isnan(grids.after) for _, start in _STARTS]
        counts = [
            np.array([(a & (x != start)).sum(axis=1) for a, (_, start) in zip(asked, _STARTS, strict=True)], np.int32)
            for x in (grids.after, grids.control)
        ]
        answers = grids.before.shape[1]
        wrong_L = (answers - grids.before.sum(axis=1)).astype(np.int32)
        return cls(grids.items, grids.seeds, answers, wrong_L, np.array([a.sum(axis=1) for a in asked]), *counts)


def stack(tallies: Sequence[Tally]) -> Tally:
    """Several domains, tutees or seeds under one heading."""
    if len(tallies) == 1:
        return tallies[0]
    items, seeds, answers, *counts = zip(*tallies, strict=True)
    joined = (np.concatenate(parts, axis=-1) for parts in counts)
    return Tally(np.concatenate(items), np.concatenate(seeds), answers[0], *joined)


class Designs:
    """The designs of means over some of all questions; ``clusters``: of every question. The same are asked for again
    and again: by the six rates of an edge, and by the edges into a student."""

    def __init__(self, clusters: Mapping[Any, Clusters]) -> None:
        self.clusters = clusters
        self._made = lru_cache(maxsize=_HELD)(self._make)

    def __call__(self, questions: NDArray[Any]) -> Design:
        return self._made(tuple(questions.tolist()))

    def _make(self, questions: tuple[Any, ...]) -> Design:
        return make_design([[self.clusters.get(q, ()) for q in questions]])


_HELD = 64  # designs


def rates(tally: Tally, difficulty: str, minimum: int, designs: Designs) -> dict[str, RateCell]:
    """``break``, ``fix``, their controls, and what they are more than these (``break_more``, ``fix_more``), on
    questions of one difficulty.

    break = #(correct -> wrong) / #correct, fix = #(wrong -> correct) / #wrong.
    """
    low, high = (bound * tally.answers / 8 for bound in DIFFICULTY[difficulty])
    chosen_L = (tally.wrong_L >= low) & (tally.wrong_L <= high)
    found: dict[str, RateCell] = {}
    for k, (kind, _) in enumerate(_STARTS):
        about_L = chosen_L & (tally.asked_KL[k] > 0)
        changed, control = (x[k, about_L].astype(float) for x in (tally.changed_KL, tally.control_KL))
        parts = {kind: changed, f"{kind}_control": control, f"{kind}_more": changed - control}
        found |= _rates(tally.items[about_L], tally.seeds[about_L], tally.asked_KL[k, about_L], parts, minimum, designs)
    return found


def benefit(tally: Tally, designs: Designs, *, over_control: bool) -> RateCell:
    """fix x wrong - break x right: what the share of right answers rises by. ``over_control``: by more than without
    f, which is what a gate can win or lose."""
    changed_KL = tally.changed_KL - (tally.control_KL if over_control else 0)
    kept_L = tally.asked_KL.sum(axis=0) > 0
    net_L = (changed_KL[1] - changed_KL[0])[kept_L].astype(float)
    asked_L = tally.asked_KL.sum(axis=0)[kept_L]
    return _rates(tally.items[kept_L], tally.seeds[kept_L], asked_L, {"net_more": net_L}, 1, designs)["net_more"]


def _rates(
    items: NDArray[Any],
    seeds: NDArray[np.int64],
    asked: Counts,
    parts: Mapping[str, Array],
    minimum: int,
    designs: Designs,
) -> dict[str, RateCell]:
    """Of each part the share of the answers ``asked`` again; ``_more`` is a difference of two shares. All by line."""
    answers = int(asked.sum())
    questions, question = np.unique(items, return_inverse=True)
    if answers < minimum or not answers:
        return dict.fromkeys(parts, RateCell(answers=answers, questions=len(questions)))
    places, seed = np.unique(seeds, return_inverse=True)
    shape = len(places), len(questions)
    place = seed * len(questions) + question

    def sums(values: Array | Counts) -> Array:
        return np.bincount(place, values, shape[0] * shape[1]).reshape(shape).astype(float)

    below_SQ, design = sums(asked), designs(questions)
    found = {}
    for name, changed in parts.items():
        rate = pooled(sums(changed), below_SQ, design, is_share=not name.endswith("_more"))
        found[name] = RateCell(answers=answers, questions=len(questions), rate=rate.value, low=rate.low, high=rate.high)
    return found
