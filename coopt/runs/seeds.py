"""Runs that differ in nothing but their seed, read as one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coopt.runs.journal import Journal
from coopt.runs.run import Run


class SeedRuns(Run):
    """Runs that differ in nothing but their one seed, read as one run. Nothing is written to it."""

    def __init__(self, runs: Mapping[int, Run]) -> None:
        first = next(iter(runs.values()))
        super().__init__(first.directory.parent, first.config)
        self.runs = runs

    @property
    def seeds(self) -> list[int]:
        return sorted(self.runs)

    def provenance(self) -> Mapping[str, Any]:
        """The first seed's."""
        return next(iter(self.runs.values())).provenance()

    def journal(self, *, mending: bool = False) -> Journal:
        return Journal(*(run.journal_path for run in self.runs.values()), mending=mending)

    def seed_dir(self, seed: int) -> Path:
        return self.runs[seed].seed_dir(seed)
