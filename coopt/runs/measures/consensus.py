"""Consensus distance in behaviour: do two students give the same answer?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import Array, interval, resample_weights

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


def consensus_distance(
    answers: Sequence[Sequence[Sequence[Answers | None]]], draws: int
) -> tuple[float, float, float] | None:
    """Mean over domains and seeds, with its interval over questions. ``answers``: [domains][seeds][students].

    None where a run has not kept its answers.
    """
    total, spread = 0.0, np.zeros(draws)
    for d, seeds in enumerate(answers):
        kept = [[s for s in students if s is not None] for students in seeds]
        if any(len(k) < len(students) for k, students in zip(kept, seeds, strict=True)):
            return None
        values = np.mean([disagreement(students) for students in kept], axis=0)
        total += float(values.mean()) / len(answers)
        weights = resample_weights(len(values), draws, generator("consensus", d))
        spread += weights @ values / len(answers)
    return (total, *interval(spread))
