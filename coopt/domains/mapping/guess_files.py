"""What files themselves tell of their rows: columns without names, a domain or a split in a file's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from coopt.core.errors import DataError
from coopt.domains.files import read_rows
from coopt.domains.mapping.items import FILE
from coopt.domains.rows import Row

SPLIT_NAMES = {"train": ["train*"], "validation": ["val*", "dev*"], "test": ["test*"]}
_NAME = r"([^/]+?)(?:[_-](?:train|test|val|validation|dev))?(?:\.\w+){1,2}$"
_A_SPLIT = re.compile(r"train|test|val|dev")
_PLACES = [f"column {k}" for k in range(1, 41)]
_KEY = re.compile(r"[A-Z]|\d")


def unnamed_columns(source: str, most: int) -> list[str]:
    """Names for the columns of tables whose first line is a row: question, an option each, the key. Empty if the rows
    are not so."""
    try:
        rows: list[Mapping[str, Any]] = [r.value for r in read_rows(source, _PLACES, most) if isinstance(r.value, dict)]
    except DataError:
        return []
    used = [p for p in _PLACES if any(r.get(p) for r in rows)]
    options = len(used) - 2
    if not rows or not 2 <= options <= len(ascii_uppercase) or any(r.get(used[-1]) is None for r in rows):
        return []
    keys = {str(r[used[-1]]) for r in rows}
    names = ["question", *ascii_uppercase[:options], "answer"]
    return names if all(map(_KEY.fullmatch, keys)) else []


def by_file(rows: Sequence[Row]) -> dict[str, Any]:
    """The tables ``domain`` and ``split`` of a mapping, as far as the names of several files tell them."""
    files = list(dict.fromkeys(r.file for r in rows))
    stems = [m[1].lower() for f in files if (m := re.search(_NAME, f))]
    kinds = {re.sub(r"[\W\d_]+", "", stem) for stem in stems}
    if len(kinds) > 1 and not any(map(_A_SPLIT.match, stems)):
        return {"domain": {"field": FILE, "pattern": _NAME}}
    words = {m[0] for f in files for m in _A_SPLIT.finditer(Path(f).name.lower())}
    if {"train", "test"} <= words:
        return {"split": {"field": FILE} | {split: [f"*{name}" for name in v] for split, v in SPLIT_NAMES.items()}}
    return {}
