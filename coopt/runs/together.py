"""Finished runs opened for reading: a run's folder, an arm of a sweep, or runs that differ in nothing but seeds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from coopt.core.config.identity import differences
from coopt.core.errors import DamagedError, RunError
from coopt.domains.load import data_hashes
from coopt.runs.provenance import RECORD, began_with
from coopt.runs.results import OldResultsError, stored_results
from coopt.runs.run import Run, is_run
from coopt.runs.seeds import SeedRuns


def open_finished(path: Path) -> Run:
    """A finished run; of an arm's folder (``runs/sweeps/SUITE/ARM``) its finished seeds. Raises ``RunError``."""
    seeds = sorted(p.parent for p in path.glob("seed-*/results.json"))
    if seeds and not is_run(path):
        return together([_open(folder) for folder in seeds])
    return _open(path)


def _open(path: Path) -> Run:
    with suppress(OldResultsError, DamagedError):  # what counts is the answers
        stored_results(path)  # refuses what is not finished
    run = Run.open(path)
    if not run.has_answers():
        raise RunError(f"{path}: its results are here and its answers are not, so nothing can be worked out from them.")
    return run


def together(runs: Sequence[Run]) -> Run:
    """Runs with the same settings and data and different seeds, as one. Raises ``RunError``."""
    first, *others = runs
    owner = {seed: part for part in parts(first) for seed in part.seeds}
    for run in others:
        _check_same(first, run)
        for part in parts(run):
            for seed in part.seeds:
                if seed in owner:
                    raise RunError(f"{owner[seed].directory} and {part.directory} both have seed {seed}. Give one.")
                owner[seed] = part
    return SeedRuns(owner) if others else first


def _check_same(first: Run, run: Run) -> None:
    for key, (one, other) in differences((first.config, run.config), "seed", "seeds").items():
        raise RunError(
            f"{first.directory} and {run.directory} differ in {key} ({one!r}, {other!r}): they are not one bench with"
            " several seeds. coopt compare sets different runs side by side."
        )
    if data_of(first) != data_of(run):
        raise RunError(f"{first.directory} and {run.directory} have different data. Run one of them again.")


def parts(run: Run) -> list[Run]:
    """The runs on disk behind what is read as one."""
    return list(dict.fromkeys(run.runs.values())) if isinstance(run, SeedRuns) else [run]


def name_of(run: Run) -> str:
    """The folder's name; of several seeds in an arm's folder, the arm's."""
    first = parts(run)[0].directory
    return first.parent.name if first.name.startswith("seed-") else first.name


def provenances(run: Run) -> list[dict[str, Any]]:
    """Where the numbers of each part come from. Raises ``RunError``."""
    found = []
    for part in parts(run):
        record = began_with(part.directory)
        if record is None:
            path = part.directory / RECORD
            raise RunError(f"{path}: missing. Where this run's numbers come from is unknown: run it again.")
        found.append(record)
    return found


def data_of(run: Run) -> dict[str, dict[str, str]]:
    """domain -> split -> hash of its questions."""
    found: dict[str, dict[str, str]] = provenances(run)[0]["data"]
    return found


def check_data(run: Run) -> None:
    """Refuse a run whose questions are no longer those that it answered (where it says which). Raises ``RunError``."""
    directory = parts(run)[0].directory
    record = began_with(directory)
    if record is None:
        return
    now = data_hashes(run.domains)
    for domain, splits in record["data"].items():
        if splits.get("test") != now[domain]["test"]:
            raise RunError(
                f"{directory}: the test questions of {domain} are not those that the run answered. Bring its data"
                f" back ({run.config.data.named}), or run it again."
            )
