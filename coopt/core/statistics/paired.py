"""Answers to the same questions, paired over them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from coopt.core.names import INIT
from coopt.core.statistics.crossed import Estimate, estimate
from coopt.core.statistics.design import Array, Clusters, Design, make_design
from coopt.core.statistics.verdicts import Change, change


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
    def clusters(self) -> Mapping[str, Sequence[Clusters]]:
        """domain -> the clusters of its questions."""

    @cached_property
    def _designs(self) -> dict[str, Design]:
        return {}

    def design(self, domain: str = "") -> Design:
        """Of the mean of a domain's questions; without one, of the mean of all domains, which count alike."""
        if domain not in self._designs:
            names = [domain] if domain else self.domains
            self._designs[domain] = make_design([self.clusters[d] for d in names])
        return self._designs[domain]

    def score(self, who: str, student: str, domain: str) -> Estimate:
        """The mean score on one domain."""
        return estimate(self.per_question(who, student, domain), self.design(domain))

    def change(self, who: str, student: str, domain: str, baseline: str = INIT) -> Change:
        """Against the initial student, or as another method left it, on one domain."""
        difference = self.per_question(who, student, domain) - self.per_question(baseline, student, domain)
        return change(difference, self.design(domain))

    def laid_out(self, values_SQ: Array, domain: str) -> Array:
        """Values of one domain among zeros for the others' questions: its mean is that of ``design()``."""
        parts = [np.zeros((len(values_SQ), len(self.clusters[d]))) for d in self.domains]
        parts[list(self.domains).index(domain)] = values_SQ * len(self.domains)
        return np.concatenate(parts, axis=1)

    def over_domains(self, who: str, group: Sequence[str]) -> Array:
        """The mean over ``group`` [seeds, questions of all domains]."""
        return np.concatenate(
            [np.mean([self.per_question(who, s, d) for s in group], axis=0) for d in self.domains], axis=1
        )

    def mean(self, who: str, group: Sequence[str]) -> Estimate:
        """The mean score of ``group`` on all domains."""
        return estimate(self.over_domains(who, group), self.design())

    def paired(self, who: str, baseline: str, group: Sequence[str]) -> Array:
        """Differences of the mean over ``group`` [seeds, questions of all domains]."""
        return self.over_domains(who, group) - self.over_domains(baseline, group)

    def between(self, who: str, baseline: str, group: Sequence[str]) -> Change:
        """Against another method, on the mean of all domains and of ``group``."""
        return change(self.paired(who, baseline, group), self.design())
