"""Consensus distance in behaviour: do two students give the same answer?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from coopt.core.statistics.crossed import Estimate, estimate
from coopt.core.statistics.design import Array, Design

Answers = Sequence[Sequence[str]]
"""[questions][samples]; without an answer tag, the start of the response stands for it."""


def disagreement(students: Sequence[Answers]) -> Array:
    """For every question the probability that two different students, drawn at random, give different answers, each
    by one of its samples: 1 minus the mean over pairs of sum_a p_i(a) p_j(a)."""
    n = len(students)
    values = []
    for samples in zip(*students, strict=True):
        shares = [Counter(s) for s in samples]
        sizes = [len(s) for s in samples]
        total: Counter[str] = Counter()
        for counts, size in zip(shares, sizes, strict=True):
            total.update({a: c / size for a, c in counts.items()})
        # sum over ordered pairs i != j of p_i . p_j = |sum p|^2 - sum |p_i|^2
        own = sum((c / size) ** 2 for counts, size in zip(shares, sizes, strict=True) for c in counts.values())
        values.append(1 - (sum(v**2 for v in total.values()) - own) / (n * (n - 1)))
    return np.asarray(values)


def consensus_distance(answers: Sequence[Sequence[Sequence[Answers | None]]], design: Design) -> Estimate | None:
    """Mean over domains, seeds and questions. ``answers``: [domains][seeds][students]; ``design``: of the questions.

    None where a run has not kept its answers.
    """
    parts = []
    for seeds in answers:
        kept = [[s for s in students if s is not None] for students in seeds]
        if any(len(k) < len(students) for k, students in zip(kept, seeds, strict=True)):
            return None
        parts.append(np.array([disagreement(students) for students in kept]))
    return estimate(np.concatenate(parts, axis=1), design)
