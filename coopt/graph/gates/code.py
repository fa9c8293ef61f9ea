"""Code that a graph or a setting names (``gate = "FILE.py:CLASS"``): when it may be run, and where it may lie.

Who only looks at a graph runs none of it, unless told to trust it. A run does, of files in the working folder and in
coopt itself; others it refuses until its user has said that they are trusted. Entry points of installed packages are
trusted: who installs a package runs its code.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from coopt.core.errors import ConfigError
from coopt.core.outside.files import UnreadableError, from_home, read_text
from coopt.graph.gates.base import Decisions, View

_looks = ContextVar("looks", default=False)
_trusts = ContextVar("trusts", default=False)
_PACKAGE = Path(__file__).resolve().parents[2]
_MOST_BYTES = 1 << 20


@contextmanager
def only_looking(looks: bool = True) -> Iterator[None]:
    """Inside, gates in files are looked at and not imported, unless they are trusted."""
    token = _looks.set(looks)
    try:
        yield
    finally:
        _looks.reset(token)


@contextmanager
def trusting(trusts: bool = True) -> Iterator[None]:
    """Inside, gates may be imported from anywhere."""
    token = _trusts.set(trusts)
    try:
        yield
    finally:
        _trusts.reset(token)


def only_looked_at() -> bool:
    """Whether gates in files are not imported now, wherever they lie."""
    return _looks.get() and not _trusts.get()


@dataclass
class UnreadGate:
    """A gate that is there, and was not imported: nothing is known of it."""

    name: str
    reads_scores: bool = True

    def decide(self, view: View) -> Decisions:
        raise ConfigError(f"gate {self.name} was looked at only, not imported.")


def file_of(kind: str) -> tuple[Path, str] | None:
    """File and name of a gate that is code in a file; None for one that has a name of its own."""
    file, found, name = kind.rpartition(":")
    return (from_home(file), name) if found and file.endswith(".py") else None


def may_import(path: Path, name: str) -> bool:
    """Whether the code is to be run: False where this is only a look at it. Raises ``ConfigError`` where the file, or
    ``name`` in it, is not there, and where it is not trusted."""
    if not path.is_file():
        raise ConfigError(f"gate.kind: {path}: no such file.")
    if only_looked_at():
        _check_name(path, name)
        return False
    if not (_trusts.get() or is_near(path)):
        raise ConfigError(
            f"gate.kind: {path} is code outside the working folder, and the run would import it. Read it; if you trust"
            " it, give --trust (from Python: trust=True)."
        )
    return True


def is_near(path: Path) -> bool:
    """Whether a file lies in the working folder or in coopt, links followed."""
    whole = path.resolve()
    return whole.is_relative_to(Path.cwd().resolve()) or whole.is_relative_to(_PACKAGE)


def _check_name(path: Path, name: str) -> None:
    """Whether a file is Python that defines ``name``, by reading it alone."""
    try:
        body = ast.parse(read_text(path, _MOST_BYTES)).body
    except UnreadableError as error:
        raise ConfigError(f"gate.kind: {path}: {error}.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"gate.kind: {path}: {type(error).__name__}: {error}.") from None
    if not any(name in _names(statement) for statement in body):
        raise ConfigError(f"gate.kind: {path} has no '{name}'.")


def _names(statement: ast.stmt) -> set[str]:
    """What a statement defines at the top of a module; whatever stands under a condition counts too."""
    found: set[str] = set()
    for node in ast.walk(statement) if isinstance(statement, (ast.If, ast.Try, ast.With)) else [statement]:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {t.id for t in targets if isinstance(t, ast.Name)}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name for alias in node.names}
    return found
