"""Arms of a sweep set against each other: the finished ones, in the seeds that all of them have."""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping, Sequence

from coopt.driver.sweep.cells import Cell
from coopt.runs.compare import Comparison, compare_runs, questions_of
from coopt.runs.run import Run
from coopt.runs.seeds import SeedRuns


def seed_runs(cells: Mapping[int, Cell]) -> SeedRuns:
    """Finished cells of one arm, by seed, as one run."""
    return SeedRuns({seed: Run.open(c.directory) for seed, c in sorted(cells.items())})


def between_arms(cells: Sequence[Cell], without: Container[Cell] = ()) -> list[Comparison]:
    """A comparison of every two or more finished arms that have students of the same names, the same questions with as
    many answers, and a seed that all of them have. ``without``: as in ``arm_states``."""
    groups: dict[Hashable, list[SeedRuns]] = {}
    for name in dict.fromkeys(c.arm.name for c in cells):
        own = {c.seed: c for c in cells if c.arm.name == name and c not in without and c.results() is not None}
        if own:
            run = seed_runs(own)
            groups.setdefault(_key(run), []).append(run)
    return [
        compare_runs(runs, within=False)
        for runs in groups.values()
        if len(runs) > 1 and set.intersection(*(set(r.seeds) for r in runs))
    ]


def _key(run: SeedRuns) -> Hashable:
    """What arms that are compared have in common."""
    return (tuple(run.topology.students), frozenset(questions_of(run)), run.config.sampling.eval_samples)
