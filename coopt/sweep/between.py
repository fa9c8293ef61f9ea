"""Arms of a sweep set against each other: the finished ones, in the seeds that all of them have."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.outcomes.compare import Comparison, compare_runs, why_not
from coopt.running.run import Run
from coopt.sweep.cells import Cell
from coopt.sweep.results import SeedRuns


def between_arms(cells: Sequence[Cell]) -> Comparison | None:
    """None where fewer than two arms are finished, or they did not answer the same questions in a seed that all have
    (another domain, graph size or split is no part of it: the same students need not be there)."""
    arms: dict[str, dict[int, Run]] = {}
    for cell in cells:
        if cell.results() is not None:
            arms.setdefault(cell.arm.name, {})[cell.seed] = Run.open(cell.directory)
    runs = [SeedRuns(dict(sorted(found.items()))) for found in arms.values()]
    return None if len(runs) < 2 or why_not(runs, list(arms)) else compare_runs(runs, within=False)
