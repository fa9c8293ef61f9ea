"""Tables on a screen: whatever their size, no number is split and nothing goes without a word."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from coopt.core.tables.fit import MOST_ROWS, wrapped
from coopt.core.tables.screen import output, show
from coopt.core.tables.table import Table


def printed(table: Table, width: int) -> str:
    out = io.StringIO()
    show([table], Console(file=out, width=width, highlight=False))
    return out.getvalue()


def matrix(students: int) -> Table:
    """Tutor x tutee, as of a complete graph."""
    names = [f"student{k}" for k in range(students)]
    rows = [[a, *(f"{k * 1.37 + j:.1f} ({j / 7:.1f})" for j in range(students))] for k, a in enumerate(names)]
    return Table("Tutor x tutee", ["tutor", *(f"-> {n}" for n in names)], rows, ["A note."])


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("students", [2, 9, 16, 32, 50])
def test_a_matrix_loses_no_student_and_splits_no_number(students: int, width: int) -> None:
    text = printed(matrix(students), width)
    words = text.split()
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    for k in range(students):
        assert words.count(f"student{k}") >= 2, "as a tutor and as a tutee"
    for row in matrix(students).rows:
        assert all(word in words for cell in row for word in cell.split())
    assert text.count("A note.") == 1


def test_every_part_says_whose_rows_they_are() -> None:
    """Methods may share a rank: the rank alone names nobody."""
    numbers = [f"{k}.5 [{k}.0, {k}.9]" for k in range(9)]
    rows = [["1", "1-2", "opcod", *numbers], ["1", "1-2", "sdpo", *numbers]]
    table = Table("Ranked", ["rank", "place", "method", *(f"measure{k}" for k in range(9))], rows, [])
    text = printed(table, 80)
    parts = text.count("(part ")
    assert parts > 1
    assert text.count("opcod") == text.count("sdpo") == parts


def test_columns_said_to_name_a_row_stand_in_every_part() -> None:
    """A round is a number, and names a decision all the same."""
    wide = [f"measure number {k} [0.{k}, 0.9]" for k in range(4)]
    rows = [["0", "opcod", "1", "s1 -> s2", *wide], ["0", "opcod", "2", "s1 -> s2", *wide]]
    columns = ["seed", "method", "round", "edge", *(f"m{k}" for k in range(4))]
    text = printed(Table("Decisions", columns, rows, keys=4), 60)
    assert (parts := text.count("(part ")) > 1
    assert text.count("s1 -> s2") == 2 * parts


@pytest.mark.parametrize(("columns", "width"), [(None, 150), ("97", 97), ("wide", 150)])
def test_a_pipe_is_wide_unless_somebody_says_how_wide(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert output().width == width


@pytest.mark.parametrize("rows", [MOST_ROWS, MOST_ROWS + 1, 1475])
def test_a_long_table_says_what_it_does_not_show(rows: int) -> None:
    table = Table("Long", ["method", "score"], [[f"m{k}", str(k)] for k in range(rows)], [])
    text = printed(table, 80)
    hidden = rows - sum(f" m{k} " in f" {text} ".replace("\n", " ") for k in range(rows))
    assert len(text.splitlines()) < 75
    assert (f"{hidden} of {rows} rows are not shown" in text) == (hidden > 0)
    assert "m0" in text
    assert f"m{rows - 1}" in text


def test_a_word_is_wrapped_where_it_may_be() -> None:
    table = Table("T", ["method", "verdict"], [["opcod", "no difference shown"] for _ in range(3)], [])
    lines = [line.strip() for line in printed(table, 24).splitlines()]
    assert any(line.endswith("difference") for line in lines)
    assert all(len(line) <= 24 for line in lines)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_names_that_are_too_long_stand_below_one_another(width: int) -> None:
    a, b = "a" * 55, "b" * 55
    rows = [["opcod", f"{a} -> {b}", "51.0", "[40.0, 60.0]"], ["opcod", f"{b} -> {a}", "2.0", "[1.0, 3.0]"]]
    table = Table("Edges", ["method", "tutor -> tutee", "kept", "95 %"], rows, ["A note."])
    text = printed(table, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    words = text.split()
    assert words.count(a) == words.count(b) == 2
    assert all(cell in text for row in rows for cell in row if " -> " not in cell)


def test_an_interval_is_never_split_between_lines() -> None:
    text = "against sdpo +7.9 [+1.5, +14.4] (no difference shown)  "
    for width in range(15, 60):
        lines = wrapped(text, width).split("\n")
        assert all(len(line) <= max(width, len("difference")) for line in lines[:-1])
        assert sum("[+1.5, +14.4]" in line for line in lines) == 1
    assert wrapped("  a note of words", 9) == "  a note\nof words"
    assert wrapped("short  as it is", 20) == "short  as it is"
