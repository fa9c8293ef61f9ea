"""A leaderboard entry: one method of a bench, over all its seeds. ``benchmarks/entry.schema.json`` is made from it.

``NAME.entry.json`` holds the numbers and where they come from; ``NAME.outcomes.parquet`` beside it every answer that
they follow from (``answers``). What is text is short and plain, so that it can stand in any table.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from coopt.core.config.faults import first_fault
from coopt.core.config.schema import DataConfig
from coopt.core.errors import EntryError
from coopt.core.outside.files import UnreadableError, decoded
from coopt.core.outside.parse import parse_json, parse_model
from coopt.core.statistics.verdicts import Verdict
from coopt.core.text import one_line
from coopt.reports.leaderboard.evidence import LARGEST_ENTRY, read_plain
from coopt.runs.results import ParetoVerdict

VERSION = 3
_NEXT = "Write it anew: coopt leaderboard add RUN."
ENTRY, OUTCOMES = ".entry.json", ".outcomes.parquet"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]{0,79}$")]
"""What stands in tables and file names."""
Hash16 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def _rounded(value: Any) -> Any:
    """A mean of ones is one, whatever order it was added up in."""
    return round(value, 9) if isinstance(value, float) else value


Number = Annotated[float, BeforeValidator(_rounded)]
Share = Annotated[Number, Field(ge=0, le=1)]
Points = Annotated[Number, Field(ge=-1, le=1)]
"""A difference of shares."""
Amount = Annotated[Number, Field(ge=0)]


class Part(BaseModel):
    """A part of an entry: unknown fields and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Moved(Part):
    """A paired change against the initial students. ``p``: Holm-adjusted over the entry's students and domains."""

    value: Points
    low: Points
    high: Points
    per_seed: list[Points]
    p: Share
    verdict: Verdict


class StudentScore(Part):
    """avg@k of one student on one domain, 95 % interval, and pass@k."""

    who: Name
    """base, init, or the method."""
    student: Name
    domain: Name
    native: bool
    score: Share
    low: Share
    high: Share
    per_seed: list[Share]
    passed: Share
    change: Moved | None
    """None of base and init."""


class Overall(Part):
    """The mean of all students and domains."""

    score: Share
    low: Share
    high: Share
    start: Share
    """Of the initial students."""
    base: Share
    """Of the untouched base model."""
    constant: Share
    """Of the best constant answer of each domain."""
    change: Moved
    native_change: Points
    """The mean of every student in its native domain."""
    headroom: tuple[Number, Number, Number] | None
    """Share of what students lacked to the best start that they gained, with its interval."""
    hypervolume: tuple[Share, Share, Share]
    """Share of the unit cube of scores that some student dominates, with its interval."""


class Improvement(Part):
    """Pareto improvement of a student, or of all (``mutual``): as it is, its probability, and the verdict."""

    student: Name
    point: bool
    probability: Share
    verdict: ParetoVerdict


class Constant(Part):
    """The best constant answer on the test questions of a domain."""

    domain: Name
    answer: Annotated[str, Field(max_length=200)]
    share: Share
    questions: Annotated[int, Field(ge=1)]


class Measures(Part):
    """What follows from the outcomes, and nothing else."""

    constants: list[Constant]
    scores: list[StudentScore]
    overall: Overall
    improvement: list[Improvement]


class TokenCounts(Part):
    """Tokens that students and tutors wrote, and that students were trained on."""

    rollout: Annotated[int, Field(ge=0)]
    feedback: Annotated[int, Field(ge=0)]
    trained: Annotated[int, Field(ge=0)]


class Cost(Part):
    """What training took, with feedback on or off, over all students and seeds."""

    feedback: Literal["on", "off"]
    steps: Annotated[int, Field(ge=1)]
    seconds_per_step: Amount
    tokens: TokenCounts
    peak_memory_gib: Amount
    """Of one worker process."""


class OutcomesFile(Part):
    """The per-item outcomes beside the entry."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.+-]{0,99}\.parquet$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Provenance(BaseModel):
    """Where the numbers of a run's folder come from (its provenance.json), and whatever else it says."""

    model_config = ConfigDict(extra="allow", frozen=True)

    arguments: list[str]
    commit: str | None
    dirty: str | None
    """Changes to coopt that were not committed."""
    data: dict[str, dict[str, str]]
    seeds: list[int] = []
    packages: dict[str, str | None] = {}
    gpus: list[str] = []
    platform: str = "unknown"


class Entry(Part):
    """All of an entry."""

    version: Literal[3] = 3
    name: Name
    kind: Literal["measured"] = "measured"
    """No other kind is accepted."""
    world: Literal["scimini", "sciknoweval", "rows"]
    """Whose questions: the embedded world's, rows of SciKnowEval, or own ones (read with a mapping)."""
    method: Name
    informed: bool
    """Worked solutions, or the true facts, of training questions reached its students (``Run.is_informed``): such an
    entry is a reference, and has no rank."""
    run: Name
    topology: Name
    graph: dict[str, Any] | None = None
    """The tables of a graph of one's own (``coopt.graph.files.tables_of``); None of a shipped one."""
    model: Name
    """The base model: its name, or its folder's."""
    students: Annotated[list[Name], Field(min_length=1)]
    native: dict[Name, Name]
    """student -> the domain that it starts strong in"""
    domains: Annotated[list[Name], Field(min_length=1)]
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    split: Literal["test"] = "test"
    samples: Annotated[int, Field(ge=1)]
    """Answers a question (the k of avg@k)."""
    data: dict[Name, dict[Literal["train", "validation", "test"], Hash16]]
    """domain -> split -> hash of its questions' ids"""
    measures: Measures
    costs: list[Cost]
    config: dict[str, Any]
    """Every setting of the run (``coopt env --settings``)."""
    provenance: Annotated[list[Provenance], Field(min_length=1)]
    """Of each folder that the seeds come from: command, commit, versions, hardware."""
    outcomes: OutcomesFile


def read_entry(path: Path) -> tuple[Entry, bytes]:
    """An entry that has the schema, and the file's bytes. Raises ``EntryError``."""
    data = read_plain(path, LARGEST_ENTRY)
    text, tree = read_tree(path, data)
    version = tree.get("version")
    if isinstance(version, int) and version > VERSION:
        raise EntryError(
            f"{path}: schema version {version} is of a later coopt (this one reads {VERSION}). Update coopt."
        )
    if isinstance(version, int) and version < VERSION:
        raise EntryError(
            f"{path}: schema version {version} is of an earlier coopt (this one reads {VERSION}). Work its numbers out"
            " anew from its answers: coopt leaderboard renew FOLDER."
        )
    try:
        entry = parse_model(Entry, text)
    except ValidationError as error:
        fault = first_fault(error)
        raise EntryError(
            f"{path}: {plain(fault.key)}: {plain(fault.message)}. Schema: coopt leaderboard schema."
        ) from None
    if path.name != entry.name + ENTRY:
        raise EntryError(f"{path}: holds the entry {entry.name}, so its name must be {entry.name}{ENTRY}.")
    return entry, data


def read_tree(path: Path, data: bytes) -> tuple[str, dict[str, Any]]:
    """The text of an entry and its tables, which may be of any version. Raises ``EntryError``."""
    try:
        text = decoded(data)
        tree = parse_json(text)
    except UnreadableError as error:
        raise EntryError(f"{path}: {error}. {_NEXT}") from None
    if not isinstance(tree, dict):
        raise EntryError(f"{path}: not a JSON object. {_NEXT}")
    return text, tree


def plain(text: str) -> str:
    """Part of an error's line: without control characters, and not endless."""
    return one_line(text)[:300]


def schema() -> str:
    """The JSON Schema of an entry, as it is committed."""
    return json.dumps(Entry.model_json_schema(), indent=1, sort_keys=True) + "\n"


def world_of(data: DataConfig) -> str:
    """Whose questions a run's are, by its settings."""
    if data.source == "scimini":
        return "scimini"
    return "sciknoweval" if data.mapping in ("", "sciknoweval") else "rows"
