"""Answers to the same questions, paired over them: one set of bootstrap weights for everything that is compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from coopt.core.names import INIT
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import Array, resample_weights
from coopt.core.statistics.verdicts import Change, change


def question_weights(questions: Mapping[str, int], draws: int) -> dict[str, Array]:
    """domain -> bootstrap weights [draws, questions]: the same for every student, method, seed and run."""
    return {name: _weights(name, count, draws) for name, count in questions.items()}


@lru_cache(maxsize=8)
def _weights(domain: str, questions: int, draws: int) -> Array:
    weights = resample_weights(questions, draws, generator("summary", domain))
    weights.flags.writeable = False
    return weights


class Paired(ABC):
    """Scores of several (``who``: base, init, critic or a method) on the same test questions."""

    methods: Sequence[str]
    students: Sequence[str]
    domains: Sequence[str]

    @abstractmethod
    def per_question(self, who: str, student: str, domain: str) -> Array:
        """Mean correctness [seeds, questions]."""

    @property
    @abstractmethod
    def weights(self) -> Mapping[str, Array]:
        """domain -> bootstrap weights [draws, questions]."""

    @cached_property
    def _drawn(self) -> dict[tuple[str, str, str], Array]:
        return {}

    def drawn(self, who: str, student: str, domain: str) -> Array:
        """Bootstrap draws [B] of the seed-averaged score."""
        key = (who, student, domain)
        if key not in self._drawn:
            self._drawn[key] = self.weights[domain] @ self.per_question(*key).mean(axis=0)
        return self._drawn[key]

    def drawn_mean(self, who: str, student: str) -> Array:
        """Bootstrap draws [B] of the mean of the domains."""
        draws: Array = np.mean([self.drawn(who, student, d) for d in self.domains], axis=0)
        return draws

    def over_domains(self, parts: Mapping[str, Array]) -> tuple[Array, Array]:
        """Values [seeds, questions] of every domain laid side by side, and their bootstrap weights: means of them are
        means of the domains, which count alike whatever their number of questions."""
        total = sum(p.shape[1] for p in parts.values())
        scaled = [p * total / (len(parts) * p.shape[1]) for p in parts.values()]
        weights = [self.weights[d] * p.shape[1] / total for d, p in parts.items()]
        return np.concatenate(scaled, axis=1), np.concatenate(weights, axis=1)

    def change(self, who: str, student: str, domain: str) -> Change:
        """Against the initial student, on one domain."""
        difference = self.per_question(who, student, domain) - self.per_question(INIT, student, domain)
        return change(difference, self.weights[domain])

    def mean(self, who: str, group: Sequence[str]) -> Change:
        """The mean score of ``group`` on all domains (as a change from nothing)."""
        parts = {d: np.mean([self.per_question(who, s, d) for s in group], axis=0) for d in self.domains}
        return change(*self.over_domains(parts))

    def paired(self, who: str, baseline: str, group: Sequence[str]) -> tuple[Array, Array]:
        """Differences [seeds, questions of all domains], the mean over ``group``, and their bootstrap weights."""
        parts = {
            d: np.mean([self.per_question(who, s, d) - self.per_question(baseline, s, d) for s in group], axis=0)
            for d in self.domains
        }
        return self.over_domains(parts)

    def between(self, who: str, baseline: str, group: Sequence[str]) -> Change:
        """Against another method, on the mean of all domains and of ``group``."""
        return change(*self.paired(who, baseline, group))
