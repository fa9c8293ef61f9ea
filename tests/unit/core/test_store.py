"""Files of JSON lines: every append mends what stands before it, and only a line end ends a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coopt.core import store

ROW = {"item": "a", "text": "x" * 200}
AGAIN = {"item": "b"}


@pytest.mark.parametrize("long", [1, 70_000])  # bytes, more than are read at once from a file's end
@pytest.mark.parametrize("first", [[], [{"item": "0"}]])
def test_a_last_row_without_its_line_end_is_kept(tmp_path: Path, first: list[dict[str, str]], long: int) -> None:
    path, row = tmp_path / "rows.jsonl", ROW | {"text": "x" * long}
    path.write_text("\n".join(map(json.dumps, [*first, row])))
    store.append_lines(path, [AGAIN])
    assert store.read_lines(path) == [*first, row, AGAIN]


@pytest.mark.parametrize("before", [b"", b"  "])
@pytest.mark.parametrize("cut", [1, 20, 151])
def test_half_a_row_is_dropped_before_the_next_is_written(tmp_path: Path, cut: int, before: bytes) -> None:
    """At any place, in the middle of a character too, and behind blanks."""
    path = tmp_path / "rows.jsonl"
    torn = json.dumps({"text": "é" * 100}, ensure_ascii=False).encode()
    path.write_bytes(json.dumps(ROW).encode() + b"\n" + before + torn[:cut])
    store.append_lines(path, [AGAIN])
    assert store.read_lines(path) == [ROW, AGAIN]
    assert path.read_bytes().endswith(b"\n")


def test_what_is_no_row_of_ours_is_not_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("keep me")
    store.append_lines(path, [AGAIN])
    assert path.read_text() == f"keep me\n{json.dumps(AGAIN)}\n"


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_end_ends_a_line(tmp_path: Path, mark: str) -> None:
    """Others may stand in a string of JSON as they are (jsonlines.org), or are white space that Python splits at."""
    path = tmp_path / "rows.jsonl"
    row = {"text": f"one{mark}two"}
    kept = json.dumps(row, ensure_ascii=False)
    path.write_text(f"{kept}\n{kept}\r\n{kept}\n", encoding="utf-8", newline="")
    assert store.read_lines(path) == [row] * 3
    store.append_lines(path, [row])
    assert store.read_lines(path) == [row] * 4
