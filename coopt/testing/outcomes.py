"""Outcomes with known truth: questions, seeds and students as item-response theory has them.

A question's difficulty is normal on the logit scale, so that many are always right and many never, as in real
benchmarks; a student answers each k times. What a student gains differs from seed to seed by ``tau`` (standard
deviation of the true change). Questions may share facts, one or several each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from coopt.core.names import INIT
from coopt.core.statistics.design import Array, Clusters
from coopt.core.statistics.paired import Paired

_SPREAD, _OF_SEED = 3.0, 0.5
"""Standard deviation of difficulties, and of what a seed makes of a question, in logits."""
_KEPT = 0.9
"""Correlation of what is hard before and after."""
_SHARED = 0.5
"""Share of a difficulty's variance that is its facts', where there are any."""


@cache
def _levels() -> tuple[Array, Array]:
    """Abilities, and the mean score of each."""
    abilities = np.linspace(-25, 25, 4001)
    points, weights = np.polynomial.hermite_e.hermegauss(201)
    spread = np.hypot(_SPREAD, _OF_SEED)
    return abilities, expit(abilities[:, None] + spread * points) @ (weights / weights.sum())


def ability(levels: Array) -> Array:
    """The abilities with these mean scores, over all questions there might be."""
    abilities, means = _levels()
    return np.interp(levels, means, abilities)


@dataclass(frozen=True)
class Questions:
    """``facts``: how many a question needs, of a pool of ``pool``; 0: questions have nothing to do with one another."""

    count: int = 400
    facts: int = 0
    pool: int = 100

    def draw(self, rng: np.random.Generator) -> tuple[list[Clusters], Array]:
        """Their clusters, and two standard normal difficulties of each, before and after, [2, questions]."""
        own = rng.standard_normal((2, self.count))
        clusters: list[Clusters] = [()] * self.count
        if self.facts:
            chosen_QF = rng.permuted(np.tile(np.arange(self.pool), (self.count, 1)), axis=1)[:, : self.facts]
            clusters = [tuple(f"fact {f}" for f in row) for row in chosen_QF]
            of_facts = rng.standard_normal((2, self.pool))[:, chosen_QF].sum(axis=2) / np.sqrt(self.facts)
            own = np.sqrt(_SHARED) * of_facts + np.sqrt(1 - _SHARED) * own
        own[1] = _KEPT * own[0] + np.sqrt(1 - _KEPT**2) * own[1]
        return clusters, own


def answered(
    levels_S: Array, difficulty_Q: Array, samples: int, rng: np.random.Generator, of_seed_SQ: Array | None = None
) -> Array:
    """Mean correctness [seeds, questions] of students whose true mean scores are ``levels_S``."""
    shape = (len(levels_S), len(difficulty_Q))
    of_seed_SQ = rng.standard_normal(shape) if of_seed_SQ is None else of_seed_SQ
    logits = ability(levels_S)[:, None] + _SPREAD * difficulty_Q + _OF_SEED * of_seed_SQ
    found: Array = rng.binomial(samples, expit(logits)) / samples
    return found


@dataclass
class Simulated(Paired):
    """A run whose truth is known. ``gains``: (method, student, domain) -> true change, mean of all seeds."""

    gains: Mapping[tuple[str, str, str], float]
    rng: np.random.Generator
    seeds: int = 3
    tau: float = 0.03
    level: float = 0.7
    samples: int = 8
    questions: Questions = Questions()
    values: dict[tuple[str, str, str], NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        methods, students, domains = (list(dict.fromkeys(k[place] for k in self.gains)) for place in range(3))
        self.methods: Sequence[str] = methods
        self.students: Sequence[str] = students
        self.domains: Sequence[str] = domains
        self._clusters: dict[str, list[Clusters]] = {}
        for domain in domains:
            self._clusters[domain], hard_2Q = self.questions.draw(self.rng)
            for student in students:
                start = np.full(self.seeds, self.level)
                self.values[INIT, student, domain] = answered(start, hard_2Q[0], self.samples, self.rng)
                for method in methods:
                    drift = self.tau * self.rng.standard_normal(self.seeds)
                    end = start + self.gains[method, student, domain] + drift
                    self.values[method, student, domain] = answered(end, hard_2Q[1], self.samples, self.rng)

    def per_question(self, who: str, student: str, domain: str) -> Array:
        return self.values[who, student, domain]

    @property
    def clusters(self) -> Mapping[str, Sequence[Clusters]]:
        return self._clusters
