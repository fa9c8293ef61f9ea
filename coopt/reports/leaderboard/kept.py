"""What a table needs of an entry that was checked, kept in the user's cache by its content, so that it is not worked
out twice. Whatever is damaged there, or cannot be written, is done without."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import NamedTuple

import numpy as np

import coopt
from coopt.core import store
from coopt.core.outside.files import UnreadableError, read_bytes
from coopt.core.outside.tables import arrays_of
from coopt.core.resources import cache_dir, resource_dir
from coopt.core.statistics.design import Array
from coopt.methods.registry import ENTRY_POINTS

_MONTH = 30 * 24 * 3600.0  # seconds
_LIBRARIES = ("numpy", "pyarrow", "pydantic", "scipy")


class Kept(NamedTuple):
    """``changes``: of all students against their start [seeds, questions of all domains]; ``questions``: a hash of the
    questions and how they hang together; ``content``: one of whose answers they are and which are right."""

    changes: Array
    questions: str
    content: str


def key_of(*contents: bytes) -> str:
    """Of the files that were checked."""
    found = hashlib.sha256(_check().encode())
    for content in contents:
        found.update(hashlib.sha256(content).digest())
    return found.hexdigest()


def load(key: str) -> Kept | None:
    """None: not there, or damaged."""
    try:
        found = arrays_of(_folder() / f"{key}.npz")
        kept = Kept(found["changes"], str(found["questions"]), str(found["content"]))
    except (FileNotFoundError, UnreadableError, KeyError):
        return None
    sound = kept.changes.ndim == 2 and kept.changes.dtype == np.float64 and bool(np.isfinite(kept.changes).all())
    return kept if sound else None


def save(key: str, kept: Kept) -> None:
    """Where it can be written; what other versions of coopt left goes after a month."""
    with suppress(OSError):
        folder = _folder()
        if not folder.is_dir():
            _forget(folder.parent)
        with store.replacing(folder / f"{key}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, changes=kept.changes, questions=kept.questions, content=kept.content)


def _forget(folder: Path) -> None:
    for other in folder.glob("*"):
        if other.stat().st_mtime < time.time() - _MONTH:
            shutil.rmtree(other, ignore_errors=True)


def _folder() -> Path:
    return cache_dir("leaderboard") / _check()[:16]


@lru_cache(maxsize=1)
def _check() -> str:
    """The version of the check: a hash of coopt's code, the shipped graphs, and what is installed beside it."""
    found = hashlib.sha256()
    package = Path(coopt.__file__).parent
    for path in sorted([*package.rglob("*.py"), *resource_dir("topologies").glob("*.toml")], key=str):
        found.update(read_bytes(path))
    found.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    found.update(" ".join(sorted(f"{p.name} {p.value}" for p in entry_points(group=ENTRY_POINTS))).encode())
    return found.hexdigest()
