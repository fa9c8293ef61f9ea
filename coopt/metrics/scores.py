"""The test scores of a run, question by question, with the bootstrap weights that pair everything."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from coopt.metrics.bootstrap import Array, resample_weights
from coopt.metrics.verdicts import Change, change
from coopt.rng import generator
from coopt.running import store
from coopt.running.run import BASE, INIT, Run

CRITIC = "critic"
"""Who stands in the tables with a critic's own scores."""


class Scores:
    """Reads a run whose tasks are all done. ``who``: base, init, critic or a method."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.config = run.config
        self.seeds = run.seeds
        self.students = run.topology.students
        self._files: dict[Path, Any] = {}

    def file(self, seed: int, who: str, round_: int, student: str, split: str = "test") -> Any:
        """One result of ``score_policy``."""
        path = self.run.scores_path(seed, INIT if who == CRITIC else who, split, round_, student)
        if path not in self._files:
            self._files[path] = store.read_json(path)
        return self._files[path]

    def last(self, who: str) -> int:
        """The round of the final weights."""
        return 0 if who in (BASE, INIT, CRITIC) else self.run.rounds_of(who)

    def final(self, who: str, student: str, domain: str) -> list[Any]:
        """The results of the final weights on a domain, seed by seed."""
        return [self.file(seed, who, self.last(who), student)["domains"][domain] for seed in self.seeds]

    def per_question(self, who: str, student: str, domain: str) -> Array:
        """Mean correctness [seeds, questions] on the test split."""
        return np.array([np.mean(result["correct"], axis=1) for result in self.final(who, student, domain)])

    @cached_property
    def weights(self) -> dict[str, Array]:
        """Bootstrap weights per domain, the same for every student, method and seed."""
        weights = {}
        for name, domain in self.run.domains.items():
            count = len(domain.items("test"))
            weights[name] = resample_weights(count, self.config.run.bootstrap, generator("summary", name))
        return weights

    def drawn(self, who: str, student: str, domain: str) -> Array:
        """Bootstrap draws [B] of the seed-averaged score."""
        draws: Array = self.weights[domain] @ self.per_question(who, student, domain).mean(axis=0)
        return draws

    def paired(self, who: str, baseline: str, group: list[str]) -> tuple[Array, Array]:
        """Differences [seeds, questions of all domains], the mean over ``group``, and their bootstrap weights."""
        domains = self.config.domains
        parts = {
            d: np.mean([self.per_question(who, s, d) - self.per_question(baseline, s, d) for s in group], axis=0)
            for d in domains
        }
        # Domains count alike whatever their number of questions: scale, then lay side by side.
        total = sum(p.shape[1] for p in parts.values())
        scaled = np.concatenate([parts[d] * total / (len(domains) * parts[d].shape[1]) for d in domains], axis=1)
        weights = np.concatenate([self.weights[d] * parts[d].shape[1] / total for d in domains], axis=1)
        return scaled, weights

    def change(self, who: str, student: str, domain: str) -> Change:
        """Against the initial student, on one domain."""
        difference = self.per_question(who, student, domain) - self.per_question(INIT, student, domain)
        return change(difference, self.weights[domain])

    def between(self, who: str, baseline: str, group: list[str]) -> Change:
        """Against another method, on the mean of all domains and of ``group``."""
        return change(*self.paired(who, baseline, group))

    def scored_critics(self) -> list[str]:
        """Critics with test scores in every seed (older runs have none)."""
        paths = {
            c: [self.run.scores_path(seed, INIT, "test", 0, c) for seed in self.seeds]
            for c in self.run.scored_critics()
        }
        return [c for c, files in paths.items() if all(f.is_file() for f in files)]
