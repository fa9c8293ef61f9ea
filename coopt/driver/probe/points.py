"""What a probe measures: numbers with what they are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from coopt.core.statistics.design import Clusters, make_design
from coopt.core.statistics.pooled import pooled

Measure = Literal[
    "deference",  # share that finds the answer that follows f likelier than the one that keeps to s
    "p_keeps",  # mean probability of the answer that keeps to s, among those compared
    "p_follows",  # mean probability of the answer that follows f
    "candour",  # share of attempts that the tutor contradicts
    "right",  # share of right answers at training temperature
    "top_wrong",  # share of a question's wrong answers that are its most frequent one (two wrong answers or more)
    "wrong_alike",  # share of pairs of wrong answers to a question that agree
    "forms",  # how much of a right working's words, in order, is the worked solution's
    "break",  # share of right answers that are wrong when asked again with f
    "break_control",  # the same without f
    "fix",  # share of wrong answers that are right when asked again with f
    "fix_control",  # the same without f
    "net",  # fix x wrong - break x right: what the share of right answers rises by
    "net_of_f",  # net less what it is without f: what a gate can win or lose
]
ALL = "all"
"""Over all domains."""
EVERY = "every"
"""Over all wordings."""


class Point(BaseModel):
    """One number. ``who``: a model, or an edge; ``condition``: what it was measured under; ``n``: answers, cases or
    pairs, to ``questions``. ``low`` and ``high``: the 95 % interval, clustered by question; None with too few."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    measure: Measure
    who: str
    domain: str
    condition: str
    n: int
    questions: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


Counts = Sequence[tuple[str, float, float]]
"""(question, sum, of how many) of each question or part of one."""


def point(
    measure: Measure, who: str, domain: str, condition: str, counts: Counts, clusters: Mapping[str, Clusters]
) -> Point:
    """sum / of how many over all questions, a value between 0 and 1."""
    kept = [c for c in counts if c[2] > 0]
    questions = list(dict.fromkeys(q for q, *_ in kept))
    where = {"measure": measure, "who": who, "domain": domain, "condition": condition, "questions": len(questions)}
    if not kept:
        return Point(**where, n=0)
    place = {q: k for k, q in enumerate(questions)}
    sums = np.zeros((2, 1, len(questions)))
    for q, value, of in kept:
        sums[:, 0, place[q]] += value, of
    found = pooled(sums[0], sums[1], make_design([[clusters.get(q, ()) for q in questions]]))
    n = round(float(sums[1].sum()))
    return Point(**where, n=n, value=found.value, low=found.low, high=found.high)
