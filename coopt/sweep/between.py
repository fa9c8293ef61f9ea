"""Arms of a sweep set against each other: the finished ones, in the seeds that all of them have."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from coopt.outcomes.compare import Comparison, compare_runs, why_not
from coopt.sweep.cells import Cell
from coopt.sweep.results import SeedRuns, seed_runs


def between_arms(cells: Sequence[Cell]) -> list[Comparison]:
    """A comparison of every two or more finished arms whose students have the same names and answered the same
    questions in a seed that all of them have."""
    groups: dict[Hashable, list[SeedRuns]] = {}
    for name in dict.fromkeys(c.arm.name for c in cells):
        own = {c.seed: c for c in cells if c.arm.name == name and c.results() is not None}
        if own:
            run = seed_runs(own)
            groups.setdefault(_key(run), []).append(run)
    return [
        compare_runs(runs, within=False)
        for runs in groups.values()
        if len(runs) > 1 and not why_not(runs, [r.directory.name for r in runs])
    ]


def _key(run: SeedRuns) -> Hashable:
    """What arms that are compared have in common; whether their questions are the same is seen by ``why_not``."""
    return (tuple(run.topology.students), tuple(run.config.domains), run.config.sampling.eval_samples)
