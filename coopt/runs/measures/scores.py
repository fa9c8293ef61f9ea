"""The test scores of a run, question by question."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from coopt.core.names import BASE, INIT
from coopt.core.statistics.accuracy import accuracy, best_of
from coopt.core.statistics.design import Array, Clusters
from coopt.core.statistics.paired import Paired
from coopt.runs.run import Run
from coopt.runs.together import check_data

CRITIC = "critic"
"""Who stands in the tables with a critic's own scores."""


class Scores(Paired):
    """Reads a run whose tasks are all done. ``who``: base, init, critic or a method."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.config = run.config
        self.seeds = run.seeds
        self.methods, self.domains = run.config.methods, run.config.domains
        self.students = run.topology.students
        self._files: dict[Path, Any] = {}
        self._means: dict[tuple[str, str, str], Array] = {}
        self._best: dict[tuple[int, str, str], int] = {}

    def file(self, seed: int, who: str, round_: int, student: str, split: str = "test") -> Any:
        """One result of ``score_policy``."""
        place = (seed, INIT if who == CRITIC else who, split, round_, student)
        path = self.run.scores_path(*place)
        if path not in self._files:
            self._files[path] = self.run.scores(*place)
        return self._files[path]

    def last(self, who: str) -> int:
        """The round of the final weights."""
        return 0 if who in (BASE, INIT, CRITIC) else self.run.rounds_of(who)

    def best_round(self, seed: int, method: str, student: str) -> int:
        """The round after which the student's mean validation accuracy was best (0: its start)."""
        key = seed, method, student
        if key not in self._best:
            last = self.run.last_round(seed, method, student, self.run.rounds_of(method))
            found = [self.file(seed, method, round_, student, "validation") for round_ in range(last + 1)]
            self._best[key] = best_of([accuracy(scores) for scores in found])
        return self._best[key]

    def final(self, who: str, student: str, domain: str) -> list[Any]:
        """The results of the final weights on a domain, seed by seed."""
        return [self.file(seed, who, self.last(who), student)["domains"][domain] for seed in self.seeds]

    def per_question(self, who: str, student: str, domain: str) -> Array:
        """Mean correctness [seeds, questions] on the test split."""
        key = who, student, domain
        if key not in self._means:  # every table asks for it
            found = np.array([np.mean(result["correct"], axis=1) for result in self.final(*key)])
            found.flags.writeable = False
            self._means[key] = found
        return self._means[key]

    @cached_property
    def clusters(self) -> dict[str, list[Clusters]]:
        check_data(self.run)
        return {name: [item.clusters for item in domain.items("test")] for name, domain in self.run.domains.items()}

    def scored_critics(self) -> list[str]:
        """Critics with test scores in every seed (older runs have none)."""
        paths = {
            c: [self.run.scores_path(seed, INIT, "test", 0, c) for seed in self.seeds]
            for c in self.run.scored_critics()
        }
        return [c for c, files in paths.items() if all(f.is_file() for f in files)]
