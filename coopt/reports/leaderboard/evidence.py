"""Files that somebody else wrote: how large they may be, and what they must be before they are read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from coopt.core.errors import EntryError
from coopt.core.outside.files import UnreadableError, read_bytes
from coopt.core.outside.parquet import MAGIC, TAIL, Footer, footer_of

LARGEST_ENTRY = 2_000_000
LARGEST_OUTCOMES = 5_000_000
LARGEST_TOGETHER = 200_000_000
"""Bytes of an entry, of its outcomes, and of all outcomes of a folder."""
_MOST = {"seeds": 100, "samples": 1024, "domains": 32}
_MOST_CELLS, _MOST_STUDENTS, _MANY_DOMAINS = 256, 8, 8
_MOST_ANSWERS, _MOST_VALUES, _MOST_PAIRS = 1 << 25, 1 << 24, 1 << 24


def read_plain(path: Path, most: int) -> bytes:
    """The bytes of an ordinary file that is not larger than ``most``. Links, pipes and devices are refused unread.
    Raises ``EntryError``."""
    try:
        return read_bytes(path, most, links=False)
    except FileNotFoundError:
        raise EntryError(f"{path}: no such file.") from None
    except UnreadableError as error:
        raise EntryError(f"{path}: {error}.") from None


def check_sizes(path: Path, students: int, seeds: int, samples: int, questions: Mapping[str, int]) -> None:
    """Refuse an entry whose numbers would take the machine to work out. ``questions``: of each domain. Raises
    ``EntryError``."""
    domains, asked = len(questions), sum(questions.values())
    for name, count in (("seeds", seeds), ("samples", samples), ("domains", domains)):
        if count > _MOST[name]:
            raise EntryError(f"{path}: {name}: {count:,}; an entry may have {_MOST[name]:,}.")
    if students * domains > _MOST_CELLS or (domains > _MANY_DOMAINS and students > _MOST_STUDENTS):
        most = _MOST_STUDENTS if domains > _MANY_DOMAINS else _MOST_CELLS // domains
        raise EntryError(f"{path}: {students:,} students; with {domains} domains an entry may have {most}.")
    answers = asked * (1 + 2 * students) * seeds * samples
    if answers > _MOST_ANSWERS:
        raise EntryError(f"{path}: {answers:,} answers; an entry may have {_MOST_ANSWERS:,}.")
    values = asked * domains * students * seeds
    if values > _MOST_VALUES:
        raise EntryError(f"{path}: questions x domains x students x seeds are {values:,}; at most {_MOST_VALUES:,}.")


def check_pairs(path: Path, clusters: Sequence[Sequence[str]]) -> None:
    """Refuse questions that hang together in too many pairs, of which a variance is a sum. ``clusters``: of every
    question. Raises ``EntryError``."""
    sizes: dict[str, int] = {}
    for own in clusters:
        for cluster in own:
            sizes[cluster] = sizes.get(cluster, 0) + 1
    pairs = sum(math.comb(n, 2) for n in sizes.values())
    if pairs > _MOST_PAIRS:
        raise EntryError(f"{path}: {pairs:,} pairs of questions share a cluster; at most {_MOST_PAIRS:,}.")


def check_parquet(path: Path, data: bytes) -> Footer:
    """A Parquet file that holds its columns' data and its footer, one after another, and not a byte besides. Raises
    ``EntryError``."""
    try:
        found = footer_of(data)
    except UnreadableError as error:
        raise EntryError(f"{path}: {error}. Write it anew: coopt leaderboard add RUN.") from None
    place = len(MAGIC)
    for chunk in (chunk for group in found.groups for chunk in group.chunks):
        if chunk.start != place:
            raise EntryError(f"{path}: holds other bytes than its columns. Write it anew: coopt leaderboard add RUN.")
        place += chunk.packed
    if place + found.length + TAIL != len(data) or found.keys - {b"ARROW:schema"}:
        raise EntryError(f"{path}: holds other bytes than its columns. Write it anew: coopt leaderboard add RUN.")
    return found
