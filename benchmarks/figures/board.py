"""The figures of the leaderboard's entries of one run. Every entry is checked against its answers first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.figures.figure import Figure, FigureError, Figures, difference, listed, point, seconds, share, words
from benchmarks.figures.tables import methods_table
from coopt.core.errors import unknown
from coopt.core.names import INIT
from coopt.core.statistics.verdicts import Change, change, corrected_by_key
from coopt.reports.leaderboard.answers import GradedAnswers
from coopt.reports.leaderboard.check import Checked, check_entry
from coopt.reports.leaderboard.entry import ENTRY

_BASELINE, _PAPER = "sdpo", "opcod"


class BoardArchive:
    """The entries ``RUN-METHOD`` of a folder, by method; without a run all of them, by name. Read when asked for."""

    def __init__(self, run: str, folder: Path) -> None:
        paths = {p.name.removesuffix(ENTRY): p for p in sorted(folder.glob(f"*{ENTRY}"))}
        of_run = f"{run}-" if run else ""
        self._paths = {name.removeprefix(of_run): p for name, p in paths.items() if name.startswith(of_run)}
        self._read: dict[str, Checked] = {}
        if not self._paths:
            raise FigureError(unknown("run", run, {name.rpartition("-")[0] for name in paths}, "leaderboard: "))

    def figures(self) -> Figures:
        found: Figures = {"seeds": self._seeds, "table": self._table}
        for one in self._paths:
            found[f"score {one}"] = partial(self._score, one)
            found[f"change {one}"] = partial(self._change, one)
            found[f"native {one}"] = partial(self._native, one)
            for feedback in ("on", "off"):
                found[f"seconds {one} {feedback}"] = partial(self._seconds, one, feedback)
            for other in self._paths:
                if other != one:
                    found[f"{one}-{other}"] = partial(self._compared, one, other)
        return found

    @property
    def methods(self) -> list[str]:
        return list(self._paths)

    @property
    def seeds(self) -> list[int]:
        return self._checked(self.methods[0]).entry.seeds

    def answers(self, method: str) -> GradedAnswers:
        if method not in self._paths:
            raise FigureError(unknown("method", method, self._paths, "leaderboard: "))
        return self._checked(method).answers

    def _checked(self, method: str) -> Checked:
        if method not in self._read:
            self._read[method] = check_entry(self._paths[method])
        return self._read[method]

    def _score(self, method: str) -> Figure:
        mean = self._checked(method).entry.measures.overall
        return share(mean.score, mean.low, mean.high)

    def _change(self, method: str) -> Figure:
        moved = self._checked(method).entry.measures.overall.change
        return difference(moved.value, moved.low, moved.high, moved.per_seed, moved.p, moved.verdict)

    def _native(self, method: str) -> Figure:
        return point(self._checked(method).entry.measures.overall.native_change)

    def _seconds(self, method: str, feedback: str) -> Figure:
        costs = {str(c.feedback): c.seconds_per_step for c in self._checked(method).entry.costs}
        if feedback not in costs:
            raise FigureError(f"leaderboard: {method} has no step with feedback {feedback}.")
        return seconds(costs[feedback])

    def _seeds(self) -> Figure:
        return words(listed(self.seeds))

    # -- methods against methods -------------------------------------------------------------------

    def _apart(self, one: str, other: str) -> Change:
        """Of two entries' changes, seed by seed."""
        first, second = self._checked(one), self._checked(other)
        if first.entry.seeds != second.entry.seeds or first.answers.questions != second.answers.questions:
            raise FigureError(f"leaderboard: {one} and {other} have other seeds or questions.")
        differences = [c.answers.paired(c.entry.method, INIT, c.entry.students) for c in (first, second)]
        return change(differences[0] - differences[1], first.answers.design())

    def _compared(self, one: str, other: str) -> Figure:
        """By itself: the table corrects what it shows, and says what is shown."""
        moved = self._apart(one, other)
        return difference(moved.value, moved.low, moved.high, moved.per_seed)

    def _table(self) -> Figure:
        entries = [self._checked(m).entry for m in self._paths]
        start = entries[0].measures.overall.start
        against = self._family([(m, _BASELINE) for m in self._paths if m != _BASELINE])
        behind = self._family([(_PAPER, m) for m in self._paths if m != _PAPER])
        return words(
            methods_table(
                entries, {m: c for (m, _), c in against.items()}, {m: c for (_, m), c in behind.items()}, start
            )
        )

    def _family(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Change]:
        return corrected_by_key({pair: self._apart(*pair) for pair in pairs})
