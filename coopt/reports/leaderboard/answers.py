"""Right and wrong answers of an entry, item by item (its outcomes): in memory, in their file, and read from a run.

The file has a row a question: seed, who (base, init, the method), student, domain, item, key (the right answer),
clusters (hashes of what it shares with other questions) and correct (one boolean an answer), in one fixed order,
dictionary-encoded and compressed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from coopt.core.errors import EntryError
from coopt.core.names import BASE, INIT
from coopt.core.outside.files import UnreadableError
from coopt.core.outside.tables import parquet_file
from coopt.core.outside.written_out import weight_of
from coopt.core.statistics.design import Array, Clusters
from coopt.core.statistics.paired import Paired
from coopt.domains.base import Item
from coopt.domains.rows import content_hash
from coopt.reports.leaderboard.evidence import check_pairs, check_parquet
from coopt.runs.measures.scores import Scores

SCHEMA = pa.schema(
    [
        ("seed", pa.int64()),
        ("who", pa.string()),
        ("student", pa.string()),
        ("domain", pa.string()),
        ("item", pa.string()),
        ("key", pa.string()),
        ("clusters", pa.list_(pa.string())),
        ("correct", pa.list_(pa.bool_())),
    ]
)
_LARGEST, _MOST_VALUES = 1 << 28, 1 << 26  # bytes and cells of a file when unpacked


class Question(NamedTuple):
    """``item``: its id; ``key``: the right answer; ``clusters``: hashes of its clusters."""

    item: str
    key: str
    clusters: tuple[str, ...]

    @classmethod
    def of(cls, item: Item) -> Question:
        return cls(item.id, item.answer, tuple(content_hash(c)[:8] for c in item.clusters))


class AnswersOf(NamedTuple):
    """Whose answers, and on which domain."""

    who: str
    student: str
    domain: str


def order_of(method: str, students: Sequence[str], domains: Sequence[str]) -> list[AnswersOf]:
    """The order of the file, seed by seed within a place."""
    found = [AnswersOf(BASE, BASE, d) for d in domains]
    return found + [AnswersOf(who, s, d) for who, s, d in product((INIT, method), students, domains)]


@dataclass(frozen=True)
class GradedAnswers(Paired):
    """Which answers were right. ``correct``: booleans [seeds, questions, samples]."""

    method: str
    students: Sequence[str]
    domains: Sequence[str]
    seeds: Sequence[int]
    questions: Mapping[str, Sequence[Question]]
    correct: Mapping[AnswersOf, NDArray[np.bool_]]

    @property
    def methods(self) -> list[str]:  # type: ignore[override]
        return [self.method]

    @cached_property
    def clusters(self) -> Mapping[str, Sequence[Clusters]]:
        return {d: [q.clusters for q in self.questions[d]] for d in self.domains}

    def per_question(self, who: str, student: str, domain: str) -> Array:
        mean: Array = self.correct[AnswersOf(who, student, domain)].mean(axis=2)
        return mean

    def of_seed(self, k: int) -> bytes:
        """A hash of everybody's answers in the seed at place ``k``."""
        found = hashlib.sha256()
        for place, grid in self.correct.items():
            found.update(repr((place, grid[k].shape)).encode() + grid[k].tobytes())
        return found.digest()

    def undecided(self, k: int) -> int:
        """How often somebody answered a question both right and wrong in the seed at place ``k``."""
        return sum(int((g[k].any(axis=1) & ~g[k].all(axis=1)).sum()) for g in self.correct.values())

    def passed(self, place: AnswersOf) -> float:
        """pass@k"""
        return float(self.correct[place].any(axis=2).mean())


def answers_of(scores: Scores, method: str) -> GradedAnswers:
    """The final test answers of a run's method, its start and its base."""
    domains = scores.run.domains
    correct = {
        place: np.array([r["correct"] for r in scores.final(*place)], dtype=bool)
        for place in order_of(method, scores.students, scores.domains)
    }
    questions = {d: [Question.of(i) for i in domains[d].items("test")] for d in scores.domains}
    return GradedAnswers(method, scores.students, scores.domains, scores.seeds, questions, correct)


def write_answers(path: Path, answers: GradedAnswers) -> None:
    """The same answers give the same bytes (with the same pyarrow)."""
    tables = [
        _block(seed, place, answers.questions[place.domain], correct[k])
        for place, correct in answers.correct.items()
        for k, seed in enumerate(answers.seeds)
    ]
    parquet.write_table(pa.concat_tables(tables), path, compression="zstd", row_group_size=1 << 20)


def _block(seed: int, place: AnswersOf, questions: Sequence[Question], correct: NDArray[np.bool_]) -> pa.Table:
    count, samples = correct.shape
    flags = pa.ListArray.from_arrays(np.arange(0, count * samples + 1, samples, dtype=np.int32), correct.ravel())
    same = [np.repeat(value, count) for value in (seed, *place)]
    asked = [list(part) for part in zip(*questions, strict=True)]
    return pa.table([*same, *asked, flags], schema=SCHEMA)


def read_answers(
    path: Path,
    table: pa.Table,
    method: str,
    students: Sequence[str],
    domains: Mapping[str, int],
    seeds: Sequence[int],
    samples: int,
) -> GradedAnswers:
    """The answers of a table (``read_table``) that has exactly these rows. ``domains``: name -> questions; ``path``:
    the file, for messages. Raises ``EntryError``."""
    order = order_of(method, students, list(domains))
    rows = sum(domains[p.domain] for p in order) * len(seeds)
    if table.num_rows != rows:
        raise EntryError(f"{path}: {table.num_rows:,} rows; the entry's seeds, students and questions make {rows:,}.")
    questions: dict[str, list[Question]] = {}
    correct: dict[AnswersOf, NDArray[np.bool_]] = {}
    start = 0
    for place in order:
        seen = []
        for seed in seeds:
            block = table.slice(start, domains[place.domain])
            asked = _check_block(path, start, block, seed, place, questions.get(place.domain))
            questions.setdefault(place.domain, asked)
            seen.append(_flags(path, start, block, samples))
            start += len(block)
        correct[place] = np.array(seen)
    check_pairs(path, [q.clusters for asked in questions.values() for q in asked])
    return GradedAnswers(method, students, list(domains), seeds, questions, correct)


def read_table(path: Path, data: bytes, schema: pa.Schema = SCHEMA) -> pa.Table:
    """The bytes of a file of this schema, not too large, without empty cells. Raises ``EntryError``."""
    found = check_parquet(path, data)
    values = sum(chunk.values for group in found.groups for chunk in group.chunks)
    if values > _MOST_VALUES or sum(group.size for group in found.groups) > _LARGEST:
        raise EntryError(f"{path}: too large ({found.rows:,} rows).")
    try:
        with parquet_file(data, found) as file:
            if not file.metadata.schema.to_arrow_schema().remove_metadata().equals(schema):
                raise EntryError(f"{path}: its columns are not {', '.join(schema.names)} (with their types).")
            table = pa.concat_tables([file.read_row_group(k) for k in range(len(found.groups))])
        if weight_of(table).size > _LARGEST:  # they are about to be written out
            raise EntryError(f"{path}: too large ({found.rows:,} rows).")
    except UnreadableError as error:
        raise EntryError(f"{path}: {error}. Write it anew: coopt leaderboard add RUN.") from None
    if any(column.null_count for column in table.columns):
        raise EntryError(f"{path}: has empty cells. Every answer is right or wrong.")
    return table


def _check_block(
    path: Path, start: int, block: pa.Table, seed: int, place: AnswersOf, before: list[Question] | None
) -> list[Question]:
    """The questions of one seed and place: the same ones as ``before``."""
    for name, value in zip(("seed", "who", "student", "domain"), (seed, *place), strict=True):
        if block[name].unique().to_pylist() != [value]:
            raise EntryError(f"{path}: rows {start} to {start + len(block)}: {name} is not {value!r} in all of them.")
    parts = (block[name].to_pylist() for name in ("item", "key", "clusters"))
    asked = [Question(item, key, tuple(clusters)) for item, key, clusters in zip(*parts, strict=True)]
    if len({q.item for q in asked}) < len(asked) or (before is not None and asked != before):
        raise EntryError(f"{path}: rows {start} to {start + len(block)}: not the questions of the domain, each once.")
    return asked


def _flags(path: Path, start: int, block: pa.Table, samples: int) -> NDArray[np.bool_]:
    flags = block["correct"].combine_chunks()
    if set(flags.value_lengths().to_pylist()) != {samples} or flags.flatten().null_count:
        raise EntryError(
            f"{path}: rows {start} to {start + len(block)}: 'correct' does not hold {samples} booleans a row."
        )
    found: NDArray[np.bool_] = flags.flatten().to_numpy(zero_copy_only=False).reshape(len(block), samples)
    return found
