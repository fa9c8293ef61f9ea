"""Entries from a finished run: one a method, all its seeds."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from coopt.core import store
from coopt.core.config.faults import first_fault
from coopt.core.config.identity import differences
from coopt.core.config.load import check as check_config
from coopt.core.config.schema import Config
from coopt.core.errors import EntryError
from coopt.core.outside.files import read_bytes
from coopt.graph.files import is_shipped, tables_of
from coopt.reports.leaderboard.answers import answers_of, write_answers
from coopt.reports.leaderboard.check import check_entry
from coopt.reports.leaderboard.entry import (
    ENTRY,
    OUTCOMES,
    Cost,
    Entry,
    OutcomesFile,
    TokenCounts,
    read_entry,
    world_of,
)
from coopt.reports.leaderboard.measures import measure
from coopt.runs.measures.cost import read_steps, worked
from coopt.runs.measures.scores import Scores
from coopt.runs.run import Run
from coopt.runs.together import data_of, name_of, provenances


def add_run(run: Run, directory: Path) -> list[Path]:
    """Write an entry and its outcomes for every method of a run; the entries' paths. Raises ``EntryError``."""
    if run.config.smoke:
        raise EntryError(f"{run.directory}: a smoke run, whose scores mean nothing. Run it without --smoke.")
    scores, steps = Scores(run), read_steps(run)
    for method in run.config.methods:
        _check_place(_path(run, method, directory), run.config)
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory, prefix=".new-") as folder:
        new = [_add(scores, steps, method, Path(folder)) for method in run.config.methods]
        for path in new:
            check_entry(path)
        for path in new:
            for file in (path.with_name(path.name.removesuffix(ENTRY) + OUTCOMES), path):
                os.replace(file, directory / file.name)
    return [directory / path.name for path in new]


def _path(run: Run, method: str, directory: Path) -> Path:
    return directory / f"{name_of(run)}-{method}{ENTRY}"


_FOLDERS = re.compile(r"(^|[=,])/(?:[^,/]+/)*")


def _published(record: dict[str, Any]) -> dict[str, Any]:
    """Without the folders of the machine that it was made on: of absolute paths the last part says what was given."""
    given = record.get("arguments")
    if not isinstance(given, list):
        return record  # the entry's schema says what is wrong
    return record | {"arguments": [_FOLDERS.sub(r"\1", str(argument)) for argument in given]}


def _add(scores: Scores, steps: Sequence[dict[str, Any]], method: str, directory: Path) -> Path:
    run = scores.run
    answers, native = answers_of(scores, method), dict(run.topology.native)
    path = _path(run, method, directory)
    name = path.name.removesuffix(ENTRY)
    beside = directory / (name + OUTCOMES)
    tree = {
        "name": name,
        "world": world_of(run.config.data),
        "method": method,
        "informed": run.is_informed(method),
        "run": name_of(run),
        "topology": run.topology.name,
        "graph": None if is_shipped(run.config.topology) else tables_of(run.topology),
        "model": Path(run.config.model.path).name,
        "students": run.topology.students,
        "native": native,
        "domains": run.config.domains,
        "seeds": run.seeds,
        "samples": run.config.sampling.eval_samples,
        "data": data_of(run),
        "measures": measure(answers, native),
        "costs": _costs([s for s in steps if s["method"] == method]),
        "config": run.config.model_dump(mode="json"),
        "provenance": [_published(p) for p in provenances(run)],
    }
    with store.replacing(beside) as temporary:
        write_answers(temporary, answers)
        digest = hashlib.sha256(read_bytes(temporary)).hexdigest()
        try:
            entry = Entry.model_validate(tree | {"outcomes": OutcomesFile(file=beside.name, sha256=digest)})
        except ValidationError as error:
            fault = first_fault(error)
            raise EntryError(f"{run.directory}: {fault.key} = {str(fault.value)[:80]!r}: {fault.message}.") from None
    store.write_json(path, entry.model_dump(mode="json"))
    return path


def _costs(steps: Sequence[dict[str, Any]]) -> list[Cost]:
    """Sums over all steps of a method; seconds are a mean of those that were not idle."""
    found = []
    for feedback in ("off", "on"):
        own = [s for s in steps if s["feedback_on"] == (feedback == "on")]
        if own:
            timed = worked(own)
            found.append(
                Cost(
                    feedback=feedback,
                    steps=len(own),
                    seconds_per_step=sum(s["seconds"]["total"] for s in timed) / len(timed),
                    tokens=TokenCounts(**{k: sum(s["tokens"][k] for s in own) for k in TokenCounts.model_fields}),
                    peak_memory_gib=max(s["memory_gib"] for s in own),
                )
            )
    return found


def _check_place(path: Path, config: Config) -> None:
    """An entry is replaced only by one of the same bench (with more seeds, say)."""
    if path.is_file() and different_bench(check_config(read_entry(path)[0].config), config):
        raise EntryError(f"{path}: is another bench's. Delete it, give another --to, or rename the run.")


def different_bench(one: Config, other: Config) -> str:
    """The first setting that says that two are not one bench; empty if there is none."""
    return next(iter(differences((one, other), "seed", "seeds", "methods")), "")
