"""The runs that a figure shows: run folders, and the arms of a sweep's folder, each with its seeds read as one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from coopt.core.errors import RunError
from coopt.runs.measures.summary import read_results, summarise
from coopt.runs.results import Results
from coopt.runs.run import Run, is_run
from coopt.runs.seeds import SeedRuns


class Opened(NamedTuple):
    """A run with its results, and how it is called beside others."""

    name: str
    run: Run
    results: Results


def open_runs(paths: Sequence[Path]) -> list[Opened]:
    """All runs at the paths: a run's folder, an arm's (``seed-K`` in it), or a sweep's (arms in it).

    Seeds that are not finished are left out. Raises ``RunError`` where nothing is finished.
    """
    return [opened for path in paths for opened in _open(path)]


def only(runs: Sequence[Opened], what: str) -> Opened:
    """The one run of what shows one. Raises ``RunError``."""
    if len(runs) > 1:
        names = ", ".join(r.name for r in runs)
        raise RunError(f"{what} shows one run; there are {len(runs)}: {names}. Give the folder of one.")
    return runs[0]


def _open(path: Path) -> list[Opened]:
    if is_run(path):
        return [Opened(path.name, Run.open(path), read_results(path))]
    arms = [path] if _finished(path) else sorted(p for p in path.glob("*/") if _finished(p))
    if not arms:
        raise RunError(f"{path}: no run here (config.json is missing), and no finished seed of a sweep's arm.")
    return [_arm(arm) for arm in arms]


def _finished(arm: Path) -> list[Path]:
    return sorted(p.parent for p in arm.glob("seed-*/results.json"))


def _arm(arm: Path) -> Opened:
    runs = [Run.open(p) for p in _finished(arm)]
    together = SeedRuns({run.seeds[0]: run for run in runs})
    return Opened(arm.name, together, summarise(together))
