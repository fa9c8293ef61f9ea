"""What keys said before, kept while nothing changes that they are worked out from: who writes a document need not wait
for figures that are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures.book import Book
from coopt.core import store

_CODE = ("coopt/**/*.py", "benchmarks/figures/*.py", "benchmarks/*.toml", "topologies/*")
_ARCHIVES = ("*.json", "*.parquet", "*.tar.xz")
_LIBRARIES = ("numpy", "scipy")


@contextmanager
def opened(root: Path, results: Path, folder: Path) -> Iterator[Book]:
    """The archives of ``results``, read by the code under ``root``. ``folder``: where it is kept what keys said; of
    another state of code or archives it is forgotten."""
    state = _digest(root, results)
    path = folder / f"{state}.json"
    said: dict[str, str] = store.read_json(path) if path.is_file() else {}
    known = len(said)
    with TemporaryDirectory(prefix="coopt-figures-") as unpacked:
        yield Book(results, Path(unpacked), said)
    if len(said) > known:
        store.write_json(path, said)
        for other in set(folder.glob("*.json")) - {path}:
            other.unlink(missing_ok=True)


def _digest(root: Path, results: Path) -> str:
    """Of everything that a figure follows from."""
    found = hashlib.sha256("".join(version(name) for name in _LIBRARIES).encode())
    for path in _files(root, results):
        found.update(f"{path}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _files(root: Path, results: Path) -> Iterable[Path]:
    code = {p for pattern in _CODE for p in root.glob(pattern) if p.is_file()}
    return sorted(code) + sorted(p for pattern in _ARCHIVES for p in results.rglob(pattern))
