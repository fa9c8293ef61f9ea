"""The cells of a sweep, one an arm and seed: where each lies, which is done, and in which order they run.

The order is the most informative first: every arm's first seed before any second one; among these a higher priority
first; then the cheaper first. A budget takes cells in that order as long as they fit.
"""

from __future__ import annotations

import heapq
import json
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.errors import RunError
from coopt.driver.folder import check_directory
from coopt.driver.sweep.arms import Arm
from coopt.runs.measures.summary import read_results
from coopt.runs.results import Results


@dataclass(frozen=True, eq=False)
class Cell:
    """One bench: an arm with one seed, in a folder of its own."""

    arm: Arm
    seed: int
    sweep: Path
    """The sweep's folder."""

    @property
    def name(self) -> str:
        return f"{self.arm.name} seed {self.seed}"

    @property
    def directory(self) -> Path:
        return self.sweep / self.arm.name / f"seed-{self.seed}"

    @property
    def log(self) -> Path:
        """What its bench printed."""
        return self.directory.with_suffix(".log")

    @cached_property
    def config(self) -> Config:
        return self.arm.config(self.seed)

    def command(self, extra: Sequence[str] = ()) -> list[str]:
        """The bench, for this interpreter."""
        shared = f"model.specialists={json.dumps(str(self.sweep / 'specialists'))}"
        arguments = [*self.arm.arguments(self.seed), "--out", str(self.directory), "--set", shared, *extra]
        return [sys.executable, "-m", "coopt", "bench", *arguments]

    def shown(self, extra: Sequence[str] = ()) -> str:
        """The command as a user types it."""
        return shlex.join(["coopt", *self.command(extra)[3:]])

    def results(self) -> Results | None:
        """What it found; None if it is not finished with these methods. Raises ``RunError`` if its folder holds
        something else."""
        if not self.directory.exists():
            return None
        check_directory(self.config, self.directory)
        try:
            results = read_results(self.directory)
        except RunError:
            return None
        done = self.seed in results.seeds and set(self.config.methods) <= set(results.methods)
        return results if done else None


def make_cells(arms: Iterable[Arm], seeds: Sequence[int], sweep: Path) -> list[Cell]:
    """Every arm with every seed, arm by arm."""
    return [Cell(arm, seed, sweep) for arm in arms for seed in seeds]


def most_informative_first(cells: Sequence[Cell], seconds: Mapping[Cell, float]) -> list[Cell]:
    """The order of the module's rule; ``seconds``: what each should take."""
    return sorted(cells, key=lambda c: (c.seed, -c.arm.priority, seconds[c]))


def within(
    cells: Sequence[Cell], seconds: Mapping[Cell, float], budget: float | None, jobs: int
) -> tuple[list[Cell], list[Cell]]:
    """(what a budget of seconds takes, what it leaves out) if everything takes what it should, ``jobs`` at a time."""
    if budget is None:
        return list(cells), []
    free = [0.0] * jobs  # when each place is free again
    taken, left = [], []
    for cell in cells:
        if free[0] + seconds[cell] <= budget:
            heapq.heapreplace(free, free[0] + seconds[cell])
            taken.append(cell)
        else:
            left.append(cell)
    return taken, left
