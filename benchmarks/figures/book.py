"""All archives, and what a key says of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures.board import BoardArchive
from benchmarks.figures.figure import Figure, FigureError, Figures, count
from benchmarks.figures.old import figures_in, read_old
from benchmarks.figures.suites import SuiteArchive
from benchmarks.figures.together import Source, Together
from coopt.core.errors import unknown
from coopt.reports.leaderboard.answers import answers_of

_PICKS = ("smallest", "largest", "sum", "count")
_ROUNDING = 1e-9  # means of the same answers added up in another order
_NEAR = 6  # names that an error lists


class Archive(NamedTuple):
    """What an archive has; ``arms``: over which figures are picked, in a suite."""

    figures: Figures
    arms: Sequence[Figures]


class Book:
    """Reads archives when a key asks for them, each once. ``results``: their folder; ``unpacked``: an empty folder;
    ``said``: what is known already, by key; it grows."""

    def __init__(self, results: Path, unpacked: Path, said: dict[str, str] | None = None) -> None:
        self.results, self.unpacked = results, unpacked
        self.said = {} if said is None else said
        self._suites: dict[str, SuiteArchive] = {}
        self._boards: dict[str, BoardArchive] = {}
        self._open: dict[str, Archive] = {}

    def text(self, key: str) -> str:
        """What stands at a place with this key. Raises ``FigureError``."""
        if key not in self.said:
            where, _, rest = key.partition(" ")
            self.said[key] = _say(where, self.archive(where), rest.split())
        return self.said[key]

    def archive(self, where: str) -> Archive:
        """Raises ``FigureError`` if there is none of this name."""
        if where not in self._open:
            self._open[where] = self._together(where.split("+")) if "+" in where else self._archive(where)
        return self._open[where]

    def _archive(self, where: str) -> Archive:
        kind, *names = where.split("/")
        if kind == "suites" and len(names) in (1, 2):
            return self._of_suite(*names)
        if kind == "leaderboard" and len(names) < 2:
            return _alone(self._board("/".join(names)).figures())
        return _alone(figures_in(self._old(where)))

    def _of_suite(self, name: str, arm: str = "") -> Archive:
        suite = self._suite(name)
        return _alone(suite.arm(arm)) if arm else Archive(suite.suite(), list(suite.arms().values()))

    def _together(self, names: Sequence[str]) -> Archive:
        return _alone(Together([self._source(name) for name in names if name]).figures())

    def _source(self, where: str) -> Source:
        kind, _, name = where.partition("/")
        if kind == "suites":
            suite, _, arm = name.partition("/")
            scores = self._suite(suite).scores(arm)
            return Source(where, scores.seeds, list(scores.methods), partial(answers_of, scores))
        if kind == "leaderboard":
            board = self._board(name)
            return Source(where, board.seeds, board.methods, board.answers)
        old = read_old(self._old(where))
        return Source(where, old.seeds, old.methods, None, old)

    def _suite(self, name: str) -> SuiteArchive:
        if name not in self._suites:
            folder = self.results / "suites" / name
            if not folder.is_dir():
                raise FigureError(unknown("suite", name, _folders(folder.parent), "suites/: "))
            self._suites[name] = SuiteArchive(name, folder, self.unpacked)
        return self._suites[name]

    def _board(self, run: str) -> BoardArchive:
        if run not in self._boards:
            self._boards[run] = BoardArchive(run, self.results / "leaderboard")
        return self._boards[run]

    def _old(self, where: str) -> Path:
        """A folder with results."""
        old = [p.parent.relative_to(self.results).as_posix() for p in self.results.rglob("results.json")]
        if where not in old:
            raise FigureError(unknown("archive", where, [*old, "suites/SUITE", "leaderboard/RUN"]))
        return self.results / where


def _alone(figures: Figures) -> Archive:
    return Archive(figures, [figures])


def _folders(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.is_dir()]


def _say(where: str, archive: Archive, said: Sequence[str]) -> str:
    """The figure of a name, in the form behind it."""
    if not said:
        raise FigureError(f"{where}: a key is ARCHIVE NAME [FORM].")
    for words, form in ((said, ""), (said[:-1], said[-1])):
        figure = _figure(archive, words)
        if figure is not None:
            return _written(figure, form, f"{where} {' '.join(words)}")
    name = " ".join(said)
    near = difflib.get_close_matches(name, archive.figures, n=_NEAR, cutoff=0.4) or sorted(archive.figures)[:_NEAR]
    raise FigureError(f"{where} has no '{name}'. Near: {', '.join(near)}.")


def _figure(archive: Archive, words: Sequence[str]) -> Figure | None:
    """By name, or picked; None if there is none."""
    name = " ".join(words)
    if name in archive.figures:
        return archive.figures[name]()
    if len(words) > 1 and words[0] in _PICKS:
        return _picked(archive, words[0], words[1:])
    return None


def _written(figure: Figure, form: str, name: str) -> str:
    forms: Mapping[str, str] = figure.forms
    if form and form not in forms:
        raise FigureError(unknown("form", form, forms, f"{name}: "))
    return forms[form] if form else next(iter(forms.values()))


def _picked(archive: Archive, how: str, words: Sequence[str]) -> Figure | None:
    """Over the figures whose name fits the pattern; None if none does."""
    wanted, pattern = (words[0], " ".join(words[1:])) if how == "count" else ("", " ".join(words))
    found = [make() for arm in archive.arms for name, make in arm.items() if fnmatchcase(name, pattern)]
    if not found:
        return None
    if how == "count":
        return count(sum(_is(f, wanted) for f in found), len(found))
    if how == "sum":
        return _sum(found, pattern)
    return (min if how == "smallest" else max)(found, key=lambda f: f.number)


def _sum(found: Sequence[Figure], pattern: str) -> Figure:
    parts = [f.parts for f in found if f.parts]
    if len(parts) < len(found):
        raise FigureError(f"sum {pattern}: not all of these are counts.")
    return count(sum(part for part, _ in parts), sum(whole for _, whole in parts))


def _is(figure: Figure, wanted: str) -> bool:
    if wanted in ("up", "down"):
        return figure.number > _ROUNDING if wanted == "up" else figure.number < -_ROUNDING
    return figure.verdict.replace(" ", "-") == wanted
