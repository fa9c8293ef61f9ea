"""Every answer of a run as tidy rows, for pandas, polars and R."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from coopt.core import store
from coopt.core.names import BASE, INIT
from coopt.domains.base import SPLITS, Split
from coopt.runs.measures.scores import CRITIC
from coopt.runs.run import Run
from coopt.runs.together import name_of

SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("seed", pa.int64()),
        ("method", pa.string()),
        ("round", pa.int64()),
        ("student", pa.string()),
        ("native", pa.bool_()),
        ("domain", pa.string()),
        ("split", pa.string()),
        ("item", pa.string()),
        ("sample", pa.int64()),
        ("answer", pa.string()),
        ("correct", pa.bool_()),
    ]
)
"""One row an answer. ``method``: base, init (round 0), critic, or a method after ``round``. ``native``: the student
started strong in ``domain``. ``answer``: null where a run has not kept its answers."""


def export_run(run: Run, directory: Path) -> list[Path]:
    """Write ``outcomes.parquet`` and ``outcomes.csv``, each whole or not at all; their paths."""
    files = [directory / "outcomes.parquet", directory / "outcomes.csv"]
    with (
        store.replacing(files[0]) as one,
        store.replacing(files[1]) as other,
        parquet.ParquetWriter(one, SCHEMA, compression="zstd") as as_parquet,
        csv.CSVWriter(other, SCHEMA) as as_csv,
    ):
        for table in _tables(run):
            as_parquet.write_table(table)
            as_csv.write_table(table)
    return files


class _Scored(NamedTuple):
    """Where one result of ``score_policy`` lies."""

    seed: int
    method: str
    round: int
    student: str
    split: Split
    path: Path


def _tables(run: Run) -> Iterator[pa.Table]:
    """The rows of one seed and method at a time."""
    students, critics = run.topology.students, run.scored_critics()
    for seed in run.seeds:
        yield _table(run, seed, BASE, range(1), [BASE])
        yield _table(run, seed, INIT, range(1), students)
        if critics:
            yield _table(run, seed, CRITIC, range(1), critics)
        for method in run.config.methods:
            yield _table(run, seed, method, range(1, run.rounds_of(method) + 1), students)


def _table(run: Run, seed: int, method: str, rounds: range, students: list[str]) -> pa.Table:
    """What was scored (a round in between has no test scores), a row an answer."""
    found = []
    for round_, split, student in product(rounds, SPLITS, students):
        place = run.scores_path(seed, INIT if method == CRITIC else method, split, round_, student)
        if place.is_file():
            scored = _Scored(seed, method, round_, student, split, place)
            domains = store.read_sealed(place)["domains"]
            found += [_rows(run, scored, name, result) for name, result in domains.items()]
    return pa.concat_tables(found) if found else SCHEMA.empty_table()


def _rows(run: Run, scored: _Scored, domain: str, result: Mapping[str, Any]) -> pa.Table:
    correct = np.asarray(result["correct"], dtype=bool)
    questions, samples = correct.shape
    count = correct.size
    answers = result.get("answers") or [[None] * samples] * questions
    columns = {
        "run": np.repeat(name_of(run), count),
        "seed": np.repeat(scored.seed, count),
        "method": np.repeat(scored.method, count),
        "round": np.repeat(scored.round, count),
        "student": np.repeat(scored.student, count),
        "native": np.repeat(run.topology.native.get(scored.student) == domain, count),
        "domain": np.repeat(domain, count),
        "split": np.repeat(scored.split, count),
        "item": np.repeat(result["items"], samples),
        "sample": np.tile(np.arange(samples), questions),
        "answer": [a for row in answers for a in row],
        "correct": correct.ravel(),
    }
    return pa.table(columns, schema=SCHEMA)
