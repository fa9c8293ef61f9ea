"""Every answer and every training step of a run as tidy rows, for pandas, polars and R."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import compute, csv, parquet

from coopt.core import store
from coopt.core.names import BASE, INIT
from coopt.core.text import FORMULA, NUMBERS
from coopt.domains.base import SPLITS, Split
from coopt.runs.measures.scores import CRITIC, Scores
from coopt.runs.measures.steps import summed
from coopt.runs.run import Run
from coopt.runs.together import name_of

SCHEMA = pa.schema(
    [
        ("run", pa.string()),
        ("seed", pa.int64()),
        ("method", pa.string()),
        ("round", pa.int64()),
        ("final", pa.bool_()),
        ("best", pa.bool_()),
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
"""One row an answer. ``method``: base, init (round 0), critic, or a method after ``round``. ``final``: a test answer
after the last round, of which the tables' scores are the means. ``best``: a test answer after the round that was best
on validation; a student without any in a method was best at its start, whose answers are those of init. ``native``: the
student started strong in ``domain``. ``answer``: null where a run has not kept its answers."""

STEP_KEYS = [("run", pa.string()), ("seed", pa.int64()), ("method", pa.string()), ("round", pa.int64()),
             ("student", pa.string()), ("step", pa.int64())]  # fmt: skip
"""What names a row of the steps; the other columns are numbers (``coopt.runs.measures.steps.summed``)."""


def export_run(run: Run, directory: Path) -> list[Path]:
    """Write outcomes and steps, each as Parquet and as CSV, and each file whole or not at all; their paths."""
    schema = _step_schema(run)  # reads all steps: what is damaged there is said before anything is written
    outcomes = _write(directory / "outcomes", SCHEMA, _tables(run))
    return [*outcomes, *_write(directory / "steps", schema, _steps(run, schema))]


def _write(place: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> list[Path]:
    files = [place.with_suffix(".parquet"), place.with_suffix(".csv")]
    with (
        store.replacing(files[0]) as one,
        store.replacing(files[1]) as other,
        parquet.ParquetWriter(one, schema, compression="zstd") as as_parquet,
        csv.CSVWriter(other, schema) as as_csv,
    ):
        for table in tables:
            as_parquet.write_table(table)
            as_csv.write_table(_harmless(table))
    return files


def _harmless(table: pa.Table) -> pa.Table:
    """Texts that a spreadsheet would take for a formula get an apostrophe before them."""
    for k, column in enumerate(table.schema):
        if column.type == pa.string():
            cells = table.column(k)
            runs = compute.and_not(
                compute.match_substring_regex(cells, FORMULA), compute.match_substring_regex(cells, NUMBERS)
            )
            quoted = compute.binary_join_element_wise("'", cells, "")
            table = table.set_column(k, column, compute.if_else(runs, quoted, cells))
    return table


class _Scored(NamedTuple):
    """Where one result of ``score_policy`` lies."""

    seed: int
    method: str
    round: int
    student: str
    split: Split
    path: Path
    last: int
    best: int


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
    last, here = rounds[-1], method in run.config.methods
    scores = Scores(run)
    best = {s: scores.best_round(seed, method, s) if here else last for s in students}
    for round_, split, student in product(rounds, SPLITS, students):
        place = run.scores_path(seed, INIT if method == CRITIC else method, split, round_, student)
        if place.is_file():
            scored = _Scored(seed, method, round_, student, split, place, last, best[student])
            domains = run.answers_in(place)["domains"]
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
        "final": np.repeat(scored.split == "test" and scored.round == scored.last, count),
        "best": np.repeat(scored.split == "test" and scored.round == scored.best, count),
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


def _step_schema(run: Run) -> pa.Schema:
    """The columns that any step of the run has; one that a step has not is null there."""
    names = dict.fromkeys(name for *_, records in _phases(run) for record in records for name in summed(record))
    keys = {key for key, _ in STEP_KEYS}
    return pa.schema([*STEP_KEYS, *((name, pa.float64()) for name in names if name not in keys)])


def _steps(run: Run, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a phase at a time."""
    name = name_of(run)
    for seed, method, round_, student, records in _phases(run):
        where = {"run": name, "seed": seed, "method": method, "round": round_, "student": student}
        yield pa.Table.from_pylist([summed(r) | where | {"step": r["step"]} for r in records], schema=schema)


def _phases(run: Run) -> Iterator[tuple[int, str, int, str, list[Any]]]:
    for seed, method in product(run.seeds, run.config.methods):
        for round_, student in product(range(1, run.rounds_of(method) + 1), run.topology.students):
            files = run.phase_files(seed, method, round_, student)
            records = files.read_steps() if files.folder.is_dir() else []  # a collapsed student has none
            if records:
                yield seed, method, round_, student, records
