"""Can an entry be believed? Schema, hashes, and every number computed again from its outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core.config.load import check as check_config
from coopt.core.errors import ConfigError, CooptError, EntryError
from coopt.domains.load import load_domains
from coopt.domains.rows import content_hash
from coopt.graph.files import topology_names
from coopt.methods.registry import all_methods
from coopt.reports.leaderboard.add import world_of
from coopt.reports.leaderboard.answers import GradedAnswers, Question, read_answers, read_table
from coopt.reports.leaderboard.entry import ENTRY, OUTCOMES, Entry, plain, read_entry
from coopt.reports.leaderboard.measures import measure
from coopt.runs.run import Run

LARGEST_TOGETHER = 30_000_000
"""Bytes of all per-item files of a folder."""
_NEAR = 1e-6  # another machine adds up in another order


class Checked(NamedTuple):
    """An entry that was checked, with its answers."""

    path: Path
    entry: Entry
    answers: GradedAnswers


def check_entry(path: Path) -> Checked:
    """The entry of a file. Raises ``EntryError`` with the first thing that is wrong."""
    entry = read_entry(path)
    _check_words(path, entry)
    beside = path.with_name(entry.outcomes.file)
    if not beside.is_file():
        raise EntryError(f"{path}: its outcomes {beside.name} are not beside it.")
    if beside.stat().st_size > LARGEST_TOGETHER:
        raise EntryError(f"{path}: {beside.name} is larger than 30 MB.")
    if hashlib.sha256(beside.read_bytes()).hexdigest() != entry.outcomes.sha256:
        raise EntryError(f"{path}: outcomes.sha256 is not the hash of {beside.name}.")
    answers = read_answers(
        beside,
        read_table(beside),
        entry.method,
        entry.students,
        {c.domain: c.questions for c in entry.measures.constants},
        entry.seeds,
        entry.samples,
    )
    for domain in entry.domains:
        found = content_hash(*(q.item for q in answers.questions[domain]))[:16]
        if found != entry.data[domain].get("test"):
            raise EntryError(
                f"{path}: data.{domain}.test is {entry.data[domain].get('test')}, but the items hash to {found}."
            )
    _check_clusters(path, entry, answers)
    _check_numbers(path, entry, answers)
    _check_informed(path, entry)
    return Checked(path, entry, answers)


def _check_words(path: Path, entry: Entry) -> None:
    """What an entry says of itself agrees with its settings and with itself."""
    try:
        config = check_config(entry.config)
    except ConfigError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None
    expected: dict[str, tuple[Any, Any]] = {
        "domains": (list(config.domains), entry.domains),
        "samples": (config.sampling.eval_samples, entry.samples),
        "name": (f"{entry.run}-{entry.method}", entry.name),
        "topology": (Path(config.topology).stem, entry.topology),
        "model": (Path(config.model.path).name, entry.model),
        "world": (world_of(config.data), entry.world),
        "data": (sorted(config.domains), sorted(entry.data)),
        "native": (sorted(entry.students), sorted(entry.native)),
        "seeds": (sorted(set(entry.seeds)), entry.seeds),
        "measures.constants": (list(config.domains), [c.domain for c in entry.measures.constants]),
    }
    for key, (right, found) in expected.items():
        if right != found:
            raise EntryError(f"{path}: {key}: {found!r}, but by the rest of the entry it is {right!r}.")
    if not set(entry.native.values()) <= set(entry.domains):
        raise EntryError(f"{path}: native: {sorted(set(entry.native.values()))}; domains are {entry.domains}.")
    if entry.method not in config.methods:
        raise EntryError(f"{path}: method {entry.method} is not among config.methods {list(config.methods)}.")
    for k, record in enumerate(entry.provenance):
        if record.data != entry.data:
            raise EntryError(f"{path}: provenance.{k}.data is not the entry's data.")
    steps = sum(c.steps for c in entry.costs)
    most = config.total_steps * len(entry.students) * len(entry.seeds)
    if steps > most:
        raise EntryError(f"{path}: costs: {steps} steps, but by config there are at most {most}.")


def _check_clusters(path: Path, entry: Entry, answers: GradedAnswers) -> None:
    """Of the embedded world's questions, which are always here; of rows they are what the entry says."""
    if entry.world != "scimini":
        return
    for name, domain in load_domains(check_config(entry.config)).items():
        if [Question.of(i) for i in domain.items("test")] != list(answers.questions[name]):
            raise EntryError(
                f"{path}: the questions of {name}, their answers or clusters, are not the embedded world's."
            )


def _check_numbers(path: Path, entry: Entry, answers: GradedAnswers) -> None:
    stated = entry.measures.model_dump(mode="json")
    found = measure(answers, entry.native).model_dump(mode="json")
    for key, one, other in _differences("measures", stated, found):
        raise EntryError(f"{path}: {key} is {one!r}, but its outcomes give {other!r}.")


def _differences(key: str, stated: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    """(where, stated, found) of every leaf that differs."""
    if isinstance(found, dict) and isinstance(stated, dict):
        for name, value in found.items():
            yield from _differences(f"{key}.{name}", stated.get(name), value)
    elif isinstance(found, list) and isinstance(stated, list) and len(found) == len(stated):
        for k, (one, other) in enumerate(zip(stated, found, strict=True)):
            yield from _differences(f"{key}.{k}", one, other)
    elif isinstance(found, float) and isinstance(stated, float | int):
        if abs(found - stated) > _NEAR:
            yield key, stated, found
    elif stated != found:
        yield key, stated, found


def _check_informed(path: Path, entry: Entry) -> None:
    """Whether worked solutions reached the students, where method and graph are known here; after all that bounds the
    entry's size, because the graph is made."""
    config = check_config(entry.config)
    if config.topology not in topology_names() or not set(config.methods) <= set(all_methods()):
        return
    if config.nodes not in (None, len(entry.students)):
        raise EntryError(f"{path}: config.nodes is {config.nodes}, but it has {len(entry.students)} students.")
    try:
        informed = Run(Path(), config).is_informed(entry.method)
    except CooptError as error:
        raise EntryError(f"{path}: config: {plain(str(error))}") from None
    if informed != entry.informed:
        raise EntryError(f"{path}: informed: {entry.informed}, but by the rest of the entry it is {informed}.")


class Folder(NamedTuple):
    """What a folder holds: entries that hold, and a line for each that does not."""

    good: list[Checked]
    bad: list[str]


def check_folder(directory: Path) -> Folder:
    """All entries under a folder, by name. Raises ``EntryError`` if it is none, or its outcomes are too large."""
    if not directory.is_dir():
        raise EntryError(f"{directory}: no such folder. Entries are made by coopt leaderboard add RUN.")
    total = sum(p.stat().st_size for p in directory.rglob(f"*{OUTCOMES}"))
    if total > LARGEST_TOGETHER:
        raise EntryError(f"{directory}: outcomes of {total / 1e6:.1f} MB; together they may have 30 MB.")
    folder, seen = Folder([], []), dict[str, Path]()
    for path in sorted(directory.rglob(f"*{ENTRY}"), key=lambda p: p.name):
        try:
            checked = check_entry(path)
            if path.name in seen:
                raise EntryError(f"{path}: {seen[path.name]} has the same name.")
            seen[path.name] = path
            folder.good.append(checked)
        except EntryError as error:
            folder.bad.append(str(error))
    return folder
