"""What a sweep has found so far: the finished seeds of an arm read as one run with several seeds."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import ValidationError

from coopt.core import store
from coopt.core.errors import DamagedError, RunError
from coopt.core.statistics.crossed import ALPHA
from coopt.core.statistics.significance import holm
from coopt.core.statistics.verdicts import NONE_SHOWN
from coopt.driver.sweep.between import between_arms, seed_runs
from coopt.driver.sweep.cells import Cell
from coopt.runs.compare import Comparison
from coopt.runs.measures.summary import summary_and_changes
from coopt.runs.measures.trajectories import MEAN, trajectories
from coopt.runs.results import ComparisonCell, Record, Results
from coopt.runs.seeds import SeedRuns


class ArmResults(Record):
    """An arm over its finished seeds."""

    version: Literal[4]
    """Of the summary's rules: one that was kept from before a change is made again."""
    results: Results
    changes: list[ComparisonCell]
    """Every method against the initial students, mean of all students and domains."""
    validation: dict[str, tuple[float, float]]
    """By method the validation score at the start and after the last round, mean of all students and domains: what
    settings are chosen by."""


class ArmState(Record):
    """An arm and how far it is."""

    arm: str
    missing: list[int]
    """Seeds that are not finished."""
    found: ArmResults | None
    """None: no seed is finished."""


class Found(NamedTuple):
    """What a sweep has found."""

    states: list[ArmState]
    between: list[Comparison]
    unread: list[str]
    """A line for each bench that is finished and cannot be read."""


def read_cells(cells: Sequence[Cell]) -> Found:
    """The tables' contents. A bench that cannot be read hides no other: it counts as missing."""
    unread: dict[Cell, str] = {}
    while True:
        try:
            return Found(arm_states(cells, unread), between_arms(cells, unread), list(unread.values()))
        except RunError as error:
            bad = next((c for c in cells if c not in unread and _is_of(error, c)), None)
            if bad is None:
                raise
            unread[bad] = str(error)


def _is_of(error: RunError, cell: Cell) -> bool:
    """Whether an error names a file of a cell's run, or the run."""
    return str(error).startswith((f"{cell.directory}/", f"{cell.directory}:"))


def arm_states(cells: Sequence[Cell], without: Container[Cell] = ()) -> list[ArmState]:
    """All arms of the cells, in their order. ``without``: cells that count as missing. Raises ``RunError``."""
    states = []
    for name in dict.fromkeys(c.arm.name for c in cells):
        own = {c.seed: c for c in cells if c.arm.name == name}
        done = {seed: cell for seed, cell in own.items() if cell not in without and cell.results() is not None}
        missing = [seed for seed in own if seed not in done]
        states.append(ArmState(arm=name, missing=missing, found=_together(done) if done else None))
    return _as_one_table(states)


def _as_one_table(states: Sequence[ArmState]) -> list[ArmState]:
    """Arms stand in one table, so what it claims is one family (Holm): all changes, and all comparisons within arms."""
    found = [state.found for state in states if state.found]
    changes = iter(_corrected([c for arm in found for c in arm.changes]))
    comparisons = iter(_corrected([c for arm in found for c in arm.results.comparisons]))

    def own(arm: ArmResults) -> ArmResults:
        results = arm.results.model_copy(update={"comparisons": [next(comparisons) for _ in arm.results.comparisons]})
        return arm.model_copy(update={"changes": [next(changes) for _ in arm.changes], "results": results})

    return [state.model_copy(update={"found": own(state.found)}) if state.found else state for state in states]


def _corrected(cells: Sequence[ComparisonCell]) -> list[ComparisonCell]:
    adjusted = holm([1.0 if c.p_alone is None else c.p_alone for c in cells])
    return [
        c.model_copy(
            update={"p": p, "verdict": c.verdict if p < ALPHA or c.verdict not in ("better", "worse") else NONE_SHOWN}
        )
        for c, p in zip(cells, adjusted, strict=True)
    ]


def _validation(run: SeedRuns) -> dict[str, tuple[float, float]]:
    ends: dict[str, dict[str, list[float]]] = {}
    for point in trajectories(run):
        if point.domain == MEAN:
            ends.setdefault(point.method, {}).setdefault(point.student, []).append(point.score)
    return {m: (fmean(s[0] for s in own.values()), fmean(s[-1] for s in own.values())) for m, own in ends.items()}


def _together(cells: Mapping[int, Cell]) -> ArmResults:
    """The summary of finished cells, kept beside them until one of them changes."""
    path = next(iter(cells.values())).directory.with_name("summary.json")
    newest = max((c.directory / "results.json").stat().st_mtime for c in cells.values())
    if path.is_file() and path.stat().st_mtime > newest:
        try:
            kept = ArmResults.model_validate(store.read_sealed(path))
        except (ValidationError, DamagedError):
            kept = None  # another version's, or not what was written
        if kept is not None and kept.results.seeds == sorted(cells):
            return kept
    run = seed_runs(cells)
    results, changes = summary_and_changes(run)
    found = ArmResults(version=4, results=results, changes=changes, validation=_validation(run))
    store.write_sealed(path, found.model_dump_json(indent=1) + "\n")
    return found
