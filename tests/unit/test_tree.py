"""docs/design.md opens with the packages as they are, and with the line that each says of itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "coopt"


def lines_of_the_document() -> dict[str, str]:
    """package (``driver/plan``) -> its line in the tree."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    tree = text.split("```")[1]
    found: dict[str, str] = {}
    for mark, name, line in re.findall(r"^(├ |│   )(\w+) +(.+)$", tree, re.MULTILINE):
        inside = mark == "├ "
        package = name if inside else f"{next(p for p in reversed(found) if '/' not in p)}/{name}"
        found[package] = line
    return found


def test_every_package_says_in_its_docstring_what_the_document_says() -> None:
    packages = {p.parent.relative_to(CODE).as_posix(): p for p in CODE.rglob("__init__.py") if p.parent != CODE}
    told = {name: (ast.get_docstring(ast.parse(p.read_text())) or "").split("\n")[0] for name, p in packages.items()}
    assert lines_of_the_document() == told


def test_at_most_ten_packages_and_nothing_else_at_the_root() -> None:
    assert len([p for p in CODE.iterdir() if (p / "__init__.py").is_file()]) <= 10
    assert {p.name for p in CODE.glob("*.py")} == {"__init__.py", "__main__.py"}


def test_files_that_the_documents_name_are_there() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:coopt/)?((?:[a-z_0-9]+/)+[a-z_0-9]+\.py)", text))
    known = [CODE, ROOT]
    missing = sorted(f for f in named if not any((folder / f).is_file() for folder in known))
    assert named
    assert not missing
