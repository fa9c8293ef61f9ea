"""Can an entry be believed? Schema, hashes, and every number computed again from its outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core.errors import EntryError
from coopt.core.names import INIT
from coopt.domains.rows import content_hash
from coopt.reports.leaderboard import kept
from coopt.reports.leaderboard.answers import GradedAnswers, read_answers, read_table
from coopt.reports.leaderboard.command import check_command
from coopt.reports.leaderboard.entry import ENTRY, OUTCOMES, Entry, read_entry
from coopt.reports.leaderboard.evidence import LARGEST_OUTCOMES, LARGEST_TOGETHER, check_sizes, read_plain
from coopt.reports.leaderboard.kept import Kept
from coopt.reports.leaderboard.measures import measure
from coopt.reports.leaderboard.stated import (
    check_graph,
    check_informed,
    check_seeds_differ,
    check_words,
    check_world,
    stated_config,
)
from coopt.reports.leaderboard.work import check_work

_NEAR = 1e-6  # another machine adds up in another order


@dataclass(frozen=True)
class Checked:
    """An entry that was checked."""

    path: Path
    entry: Entry
    kept: Kept

    @cached_property
    def answers(self) -> GradedAnswers:
        """Read again."""
        beside = self.path.with_name(self.entry.outcomes.file)
        return _answers(beside, self.entry, read_plain(beside, LARGEST_OUTCOMES))


def check_entry(path: Path, *, again: bool = True) -> Checked:
    """The entry of a file. Raises ``EntryError`` with the first thing that is wrong. ``again``: also work out once more
    what was worked out before from the same files by the same code (``kept``)."""
    entry, text = read_entry(path)
    beside = path.with_name(entry.outcomes.file)
    if not beside.exists() and not beside.is_symlink():
        raise EntryError(f"{path}: its outcomes {beside.name} are not next to it.")
    data = read_plain(beside, LARGEST_OUTCOMES)
    key = kept.key_of(text, data)
    before = None if again else kept.load(key)
    if before is None:
        before = _checked(path, entry, data)
        if not again:
            kept.save(key, before)
    return Checked(path, entry, before)


def _checked(path: Path, entry: Entry, data: bytes) -> Kept:
    config = stated_config(path, entry)
    check_words(path, entry, config)
    sizes = {c.domain: c.questions for c in entry.measures.constants}
    check_sizes(path, len(entry.students), len(entry.seeds), entry.samples, sizes)
    check_command(path, entry, config)
    topology = check_graph(path, entry, config)
    check_work(path, entry, config, topology)
    if hashlib.sha256(data).hexdigest() != entry.outcomes.sha256:
        raise EntryError(f"{path}: outcomes.sha256 is not the hash of {entry.outcomes.file}.")
    answers = _answers(path.with_name(entry.outcomes.file), entry, data)
    for domain in entry.domains:
        found = content_hash(*(q.item for q in answers.questions[domain]))[:16]
        if found != entry.data[domain].get("test"):
            raise EntryError(
                f"{path}: data.{domain}.test is {entry.data[domain].get('test')}, but the items hash to {found}."
            )
    check_seeds_differ(path, answers)
    check_world(path, entry, config, answers)
    _check_numbers(path, entry, answers)
    check_informed(path, entry, config, topology)
    return _kept(entry, answers)


def _answers(beside: Path, entry: Entry, data: bytes) -> GradedAnswers:
    sizes = {c.domain: c.questions for c in entry.measures.constants}
    table = read_table(beside, data)
    return read_answers(beside, table, entry.method, entry.students, sizes, entry.seeds, entry.samples)


def _kept(entry: Entry, answers: GradedAnswers) -> Kept:
    questions = content_hash(*(repr((d, *answers.questions[d])) for d in entry.domains))
    # Not what the seeds are called: the same answers under another number are the same answers.
    content = hashlib.sha256(repr((questions, entry.method, entry.topology, entry.students)).encode())
    for seed in sorted(answers.of_seed(k) for k in range(len(entry.seeds))):
        content.update(seed)
    return Kept(answers.paired(entry.method, INIT, entry.students), questions, content.hexdigest())


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


class Folder(NamedTuple):
    """What a folder holds: entries that hold, and a line for each that does not."""

    good: list[Checked]
    bad: list[str]


def check_folder(directory: Path, *, again: bool = True) -> Folder:
    """All entries under a folder, by name. Raises ``EntryError`` if it is none, or its outcomes are too large.
    ``again``: as ``check_entry``."""
    if not directory.is_dir():
        raise EntryError(f"{directory}: no such folder. Entries are made by coopt leaderboard add RUN.")
    total = sum(p.lstat().st_size for p in directory.rglob(f"*{OUTCOMES}"))
    if total > LARGEST_TOGETHER:
        most = LARGEST_TOGETHER / 1e6
        raise EntryError(f"{directory}: outcomes of {total / 1e6:.1f} MB; together they may have {most:.0f} MB.")
    folder, names, contents = Folder([], []), dict[str, Path](), dict[str, Path]()
    for path in sorted(directory.rglob(f"*{ENTRY}"), key=lambda p: p.name):
        try:
            checked = check_entry(path, again=again)
            if path.name in names:
                raise EntryError(f"{path}: {names[path.name]} has the same name.")
            if checked.kept.content in contents:
                raise EntryError(f"{path}: {contents[checked.kept.content]} has the same answers.")
        except EntryError as error:
            folder.bad.append(str(error))
            continue
        names[path.name] = contents[checked.kept.content] = path
        folder.good.append(checked)
    return folder
