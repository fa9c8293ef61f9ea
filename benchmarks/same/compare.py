"""Two folders, file by file: the first thing that differs in each file, with both values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.same.fields import is_left_out, lines_without, without
from benchmarks.same.weights import DIGEST, SUFFIX, digest

ABSENT = "(not there)"
_TEXT = (".txt", ".md", ".csv", ".tex", ".jinja", ".svg", ".html", ".toml", ".py")
_LONGEST = 160


class Difference(NamedTuple):
    """Where two files part: a key of JSON, a line of text, a tensor."""

    file: str
    where: str
    base: str
    new: str

    def __str__(self) -> str:
        return f"{self.file}: {self.where}\n      base: {self.base}\n      new:  {self.new}"


def compare_folders(
    base: Path, new: Path, names: Iterable[str] | None = None, *, exact: bool = False
) -> list[Difference]:
    """The first difference of every file that differs; the folders' own names do not matter.

    ``names``: the files to compare (default: all of both). ``exact``: nothing is left out. For what two checkouts make
    of the same files, seconds and all.
    """
    found = []
    for name in sorted(files(base) | files(new) if names is None else set(names)):
        if not exact and is_left_out(name):
            continue
        difference = compare_files(name, base / name, new / name, exact=exact)
        if difference:
            found.append(difference)
    return found


def files(folder: Path) -> set[str]:
    """The files below a folder by their names in it; a digest stands for the file of tensors beside it. Links lead out
    of the folder, to a checkout's own files, and are left aside."""
    found = (p for p in folder.rglob("*") if not p.is_symlink() and not p.is_dir())
    return {p.relative_to(folder).as_posix().removesuffix(DIGEST) for p in found}


def compare_files(name: str, base: Path, new: Path, *, exact: bool = False) -> Difference | None:
    """The first difference of one file, which may be missing on one side."""
    missing = [not p.is_file() and not p.with_name(p.name + DIGEST).is_file() for p in (base, new)]
    if any(missing):
        said = [ABSENT if gone else "a file" for gone in missing]
        return Difference(name, "the file", *said)
    if name.endswith(SUFFIX):
        return _first(name, digest(base), digest(new))
    data = base.read_bytes(), new.read_bytes()
    if data[0] == data[1]:
        return None
    if exact or not name.endswith((".json", ".jsonl")):
        return _lines(name, *data, exact=exact)
    if name.endswith(".jsonl"):
        return _json_lines(name, *(d.decode() for d in data))
    return _json(name, *(d.decode() for d in data))


def _json(name: str, base: str, new: str) -> Difference | None:
    try:
        values = [without(name, json.loads(text)) for text in (base, new)]
    except ValueError:
        return _lines(name, base.encode(), new.encode(), exact=True)
    return _first(name, *values)


def _json_lines(name: str, base: str, new: str) -> Difference | None:
    for number, pair in enumerate(zip_longest(base.splitlines(), new.splitlines()), start=1):
        if None in pair:
            return Difference(name, f"line {number}", *(ABSENT if x is None else _short(x) for x in pair))
        values = [without(name, json.loads(str(x))) for x in pair]
        for where, left, right in _parts(*values):
            return Difference(name, f"line {number}, {where}", _short(left), _short(right))
    return None


def _first(name: str, base: Any, new: Any) -> Difference | None:
    for where, left, right in _parts(base, new):
        return Difference(name, where, _short(left), _short(right))
    return None


def _parts(base: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(key, value, value) wherever two JSON values differ. The order of keys counts: programs print in that order."""
    if isinstance(base, dict) and isinstance(new, dict):
        for key in [*base, *(k for k in new if k not in base)]:
            yield from _parts(base.get(key, ABSENT), new.get(key, ABSENT), f"{path}.{key}" if path else str(key))
        if list(base) != list(new) and base.keys() == new.keys():
            yield f"order of the keys of {path or 'the whole'}", list(base), list(new)
    elif isinstance(base, list) and isinstance(new, list):
        for place, (left, right) in enumerate(zip_longest(base, new, fillvalue=ABSENT)):
            yield from _parts(left, right, f"{path}[{place}]")
    elif type(base) is not type(new) or base != new:
        yield path or "the whole", base, new


def _lines(name: str, base: bytes, new: bytes, *, exact: bool) -> Difference | None:
    """Text by its lines, anything else by its digest."""
    try:
        texts = [data.decode() for data in (base, new)]
    except UnicodeDecodeError:
        return Difference(name, "sha256", *(hashlib.sha256(d).hexdigest()[:16] for d in (base, new)))
    tables = not exact and name.endswith(_TEXT)
    left, right = (lines_without(text) if tables else text.splitlines() for text in texts)
    for number, (a, b) in enumerate(zip_longest(left, right), start=1):
        if a != b:
            of = " (of those that are compared)" if tables else ""
            return Difference(name, f"line {number}{of}", *(ABSENT if x is None else _short(x) for x in (a, b)))
    return None if tables else Difference(name, "ends of lines", "differ", "differ")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
