"""What is not compared, and why: the one place where ``make same`` looks away.

Everything else of a run's folder and of what a command prints has to be the same. A field that is left out must still
be there, under the same key: only its value may differ. All this is between two runs. What two checkouts make of one
run's folder (reports, pages, charts, exports) has the same seconds in it, so of that nothing is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

HIDDEN = "(left out)"


class Fields(NamedTuple):
    """Keys of some JSON files; a list's places are no part of a key: ``costs.seconds``. Patterns as of a shell."""

    files: str
    keys: Sequence[str]
    why: str


FIELDS = (
    Fields("*.steps.jsonl", ("seconds.*", "memory_gib"), "the clock, and the peak memory of a process"),
    Fields(
        "*journal.jsonl",
        ("time", "value.commit", "before", "sum"),
        "the clock, which checkout ran, and checksums of lines with these in them",
    ),
    Fields(
        "*provenance.json",
        ("commit", "dirty"),
        "which checkout ran; machine and packages stay, because both sides have the same ones",
    ),
    Fields("*/scores/*.json", ("seconds",), "the clock"),
    Fields("said/break-rate.json", ("topology",), "a name made of them"),
    Fields("*/adapter/adapter_config.json", ("base_model_name_or_path",), "the whole path of the base, in a checkout"),
    Fields("*results.json", ("costs.*",), "seconds and memory"),
    Fields("said/*.json", ("costs.*",), "results as a command prints them"),
    Fields(
        "*plan.json",
        ("speed.*", "seconds.*", "work.*.seconds", "expected_seconds", "tokens_per_second.*"),
        "speeds are measured just before a plan is made",
    ),
    Fields(
        "probed/*.json",
        ("topology", "model.path", "arguments", "files"),
        "coopt break-rate calls models by their whole paths, which are a checkout's own",
    ),
)
FILES = {
    "*/progress/*": "how far a task was when somebody looked: written by the clock",
    "probed/break-rate-*.json": "its name is made of the whole paths of models",
    "*/adapter/README.md": "peft's own model card, which names the whole path of the base",
    "*/run.lock": "empty; there is nothing to compare",
    "*.seal": "checksums of files with times in them; the files are compared",
    "*/COMPLETE": "the same, of folders",
}
TABLES = ("Cost of a training step", "Plan: ")
"""Titles of tables that state seconds, speeds and memory. Their titles and notes are compared, their rows are not."""
LINES = (re.compile(r"^\s*expected: .*"),)
"""Lines, outside these tables, that state times."""


def is_left_out(file: str) -> bool:
    """Whether a file (relative to the folder of a run of this tool) is not compared at all."""
    return any(fnmatchcase(file, pattern) for pattern in FILES)


def without(file: str, value: Any) -> Any:
    """A JSON value with the fields that are left out hidden."""
    keys = [key for fields in FIELDS if fnmatchcase(file, fields.files) for key in fields.keys]
    return _hide(value, "", keys)


def _hide(value: Any, path: str, keys: Sequence[str]) -> Any:
    if any(fnmatchcase(path, key) for key in keys):
        return HIDDEN
    if isinstance(value, list):
        return [_hide(item, path, keys) for item in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("title", "")).startswith(TABLES) and "rows" in value:  # a table, printed as JSON
        return value | {"rows": HIDDEN}
    return {k: _hide(v, f"{path}.{k}" if path else k, keys) for k, v in value.items()}


def lines_without(text: str) -> list[str]:
    """The lines of printed tables (any format) without the rows of tables that are left out."""
    kept, inside, blank = [], False, True
    for line in (
        whole.rstrip() for whole in text.splitlines()
    ):  # a terminal's lines are filled up to the table's width
        title = line.lstrip("#% ")
        if title.startswith(TABLES) and line[:1] != " ":
            inside = True
            kept.append(_title_alone(line))
        elif inside and _begins_anew(line, blank):
            inside = False
            kept.append(line)
        elif not (inside and _is_row(line)) and not any(pattern.match(line) for pattern in LINES):
            kept.append(line)
        blank = not line.strip()
    return kept


def _title_alone(line: str) -> str:
    """A line of a CSV has its table's title and its cells in one."""
    return line.split(",")[0] if line.startswith(TABLES) and "," in line else line


def _begins_anew(line: str, after_blank: bool) -> bool:
    """The title of another table: of Markdown and LaTeX by its mark, of a terminal by the blank line before it."""
    if line.startswith(("### ", "table,")):
        return True
    return after_blank and not line.startswith(TABLES) and bool(re.match(r"[A-Z%]", line))


def _is_row(line: str) -> bool:
    """A row of a terminal's table (indented, as its header is), of Markdown or of LaTeX; a note has two blanks."""
    return bool(re.match(r"\||\\|\s*$| (?! \S)|.*&", line))
