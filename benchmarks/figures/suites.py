"""The figures of a suite's archive: of its arms, and of arms set against each other.

As ``coopt sweep SUITE --archive FOLDER --table`` reads it, unpacked into a folder of this process.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from benchmarks.figures.figure import Figure, FigureError, Figures, difference, listed, words
from benchmarks.figures.old import read_old
from benchmarks.figures.results import figures_of
from benchmarks.figures.tables import arms_table
from coopt.core.errors import unknown
from coopt.driver.folder import check_directory
from coopt.driver.sweep.archive import archive_of, bring
from coopt.driver.sweep.arms import make_arms
from coopt.driver.sweep.between import between_arms, seed_runs
from coopt.driver.sweep.cells import Cell, make_cells
from coopt.driver.sweep.results import ArmResults, arm_states
from coopt.driver.sweep.suite import read_suite, suite_path
from coopt.runs.compare import Comparison
from coopt.runs.compare import Difference as Apart
from coopt.runs.measures.scores import Scores
from coopt.runs.results import Results


class _Kept(Cell):
    """A cell that was kept in an archive, so it is finished. The results of an earlier coopt that lie there are not
    worked out anew to see that: what an arm found is worked out from the answers of all its seeds."""

    def results(self) -> Results | None:
        return self._checked

    @cached_property
    def _checked(self) -> Results:
        check_directory(self.config, self.directory)
        return read_old(self.directory)


class SuiteArchive:
    """A shipped suite with what its archive holds. ``folder``: of the archive; ``unpacked``: where it is read."""

    def __init__(self, name: str, folder: Path, unpacked: Path) -> None:
        self.name, self.folder = name, folder
        suite = read_suite(suite_path(name))
        arms = make_arms(suite, name)
        cells = make_cells(arms, range(suite.seed, suite.seed + suite.seeds), unpacked / name)
        self._scores: dict[str, Scores] = {}
        self.cells = [_Kept(c.arm, c.seed, c.sweep) for c in cells]

    def suite(self) -> Figures:
        """What is said of arms together."""
        found: Figures = {"seeds": self._seeds}
        for comparison in self._between:
            for d in comparison.differences:
                sides = "-".join(f"{side.run}:{side.method}" for side in (d.side, d.baseline))
                found[sides] = partial(_apart, d)
            first = comparison.runs[0]
            found[f"table {first}"] = partial(self._table, comparison)
        return found

    def arms(self) -> dict[str, Figures]:
        """What is said of each arm that has a finished seed."""
        return {name: figures_of(own.results, own.changes) for name, own in self._found.items()}

    def arm(self, name: str) -> Figures:
        found = self.arms()
        if name not in found:
            raise FigureError(unknown("arm", name, found, f"suites/{self.name}: "))
        return found[name]

    def scores(self, arm: str) -> Scores:
        """Every answer of an arm, over its seeds."""
        if arm not in self._scores:
            own = {c.seed: c for c in self._brought if c.arm.name == arm}
            if not own:
                raise FigureError(f"suites/{self.name}/{arm}: no seed of this arm is in the archive.")
            self._scores[arm] = Scores(seed_runs(own))
        return self._scores[arm]

    @property
    def _archived(self) -> list[Cell]:
        return [c for c in self.cells if archive_of(c, self.folder).is_file()]

    @cached_property
    def _brought(self) -> list[Cell]:
        for cell in self._archived:
            bring(cell, self.folder)
        return self._archived

    @cached_property
    def _found(self) -> Mapping[str, ArmResults]:
        return {s.arm: s.found for s in arm_states(self._brought) if s.found}

    @cached_property
    def _between(self) -> Sequence[Comparison]:
        return between_arms(self._brought)

    def _table(self, comparison: Comparison) -> Figure:
        return words(arms_table(comparison, self._found, {name: self.scores(name).run for name in comparison.runs}))

    def _seeds(self) -> Figure:
        """Of all arms; where they differ, of each."""
        arms: dict[str, list[str]] = defaultdict(list)
        for name, own in self._found.items():
            arms[listed(own.results.seeds)].append(name)
        if len(arms) == 1:
            return words(next(iter(arms)))
        return words("; ".join(f"{seeds} ({', '.join(names)})" for seeds, names in arms.items()))


def _apart(d: Apart) -> Figure:
    moved = d.moved
    verdict = {"improves": "better"}.get(moved.verdict, moved.verdict)
    return difference(moved.value, moved.low, moved.high, moved.per_seed, moved.p, verdict)
