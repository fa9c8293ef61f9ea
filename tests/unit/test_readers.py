"""What others wrote is read in ``coopt/core/outside`` alone. Functions that read are banned by ruff (TID251); here are
the methods, of whose objects ruff does not know what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CODE = Path(__file__).resolve().parents[2] / "coopt"
LAYER = CODE / "core" / "outside"
OF_THE_KERNEL = {"core/kernel.py", "core/sweeper.py"}  # they read /proc and the control groups
METHODS = {"read_text", "read_bytes", "model_validate_json", "validate_json", "parse_raw", "parse_file"}


def readers(source: str) -> Iterator[tuple[int, str]]:
    """Line and method of every call that reads a file, or a text by a schema, by itself."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield node.lineno, node.func.attr
        elif isinstance(node.func, (ast.Attribute, ast.Name)) and _opens_to_read(node):
            yield node.lineno, "open"


def _opens_to_read(call: ast.Call) -> bool:
    """``open(...)`` and ``PATH.open(...)`` without a mode, or with one that reads. Other things that have a method open
    are given something else."""
    plain = isinstance(call.func, ast.Name)
    if (call.func.id if isinstance(call.func, ast.Name) else call.func.attr) != "open":  # type: ignore[union-attr]
        return False
    given = [*call.args[1 if plain else 0 :], *(k.value for k in call.keywords if k.arg == "mode")]
    modes = [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return (modes[0].startswith("r") and "+" not in modes[0]) if modes else plain or not call.args


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("p.read_text()", ["read_text"]),
        ("Kind.model_validate_json(t)", ["model_validate_json"]),
        ("open(p)", ["open"]),
        ("open(p, 'r')", ["open"]),
        ("p.open()", ["open"]),
        ("p.open('rb')", ["open"]),
        ("p.open(mode='rb')", ["open"]),
        ("p.open('a', encoding='utf-8'); open(p, 'w'); Run.open(p); read_text(p); opened(p)", []),
    ],
)
def test_readers_are_found(source: str, found: list[str]) -> None:
    assert [name for _, name in readers(source)] == found


def test_no_reader_outside_the_layer() -> None:
    files = [p for p in CODE.rglob("*.py") if not p.is_relative_to(LAYER)]
    files = [p for p in files if str(p.relative_to(CODE)) not in OF_THE_KERNEL]
    found = [f"{p.relative_to(CODE)}:{line}: {name}" for p in files for line, name in readers(p.read_text())]
    assert not found, "read it through coopt.core.outside"
    assert len(files) > 200
