"""Tables of any number of students on any screen: nothing is lost without a word, nothing is split, all in the graph's
order."""

from __future__ import annotations

import re
from io import StringIO
from itertools import pairwise

import pytest
from rich.console import Console

from coopt.cli.report import show_headline
from coopt.core.tables.fit import least_widths
from coopt.core.tables.screen import show
from coopt.core.tables.table import Table, render
from coopt.reports.sections import (
    _ENDS,
    FEW_STUDENTS,
    SECTIONS,
    all_tables,
    page_tables,
    screen_section,
    screen_tables,
    section,
)
from coopt.runs.results import Results
from tests.unit.many_students import many_students

STUDENTS, WIDTHS = (2, 8, 12, 13, 16, 32), (80, 120, 200)
MADE = {count: many_students(count) for count in STUDENTS}
_STUDENT = re.compile(r"\bs(\d+)\b")


def printed(table: Table, width: int) -> str:
    out = StringIO()
    show([table], Console(file=out, width=width, highlight=False))
    return out.getvalue()


def headline_of(results: Results, width: int) -> list[str]:
    out = StringIO()
    show_headline(results, "runs/NAME", Console(file=out, width=width, highlight=False))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("students", STUDENTS)
def test_no_table_loses_or_splits_a_name_or_a_number(students: int, width: int) -> None:
    for table in screen_tables(MADE[students]):
        text = printed(table, width)
        assert all(len(line.rstrip()) <= width for line in text.splitlines()), table.title
        shown = set(text.split()) | set(re.findall(r"\[[^\]\n]*\]", text))
        cells = [*table.columns, *(c for row in table.rows for c in row)]
        if "rows are not shown here" not in text:
            assert not {w for c in cells for w in re.findall(r"\[[^\]]*\]|\S+", c)} - shown - {"->"}, table.title
        assert sum(least_widths(table)[:1]) <= width


@pytest.mark.parametrize("students", STUDENTS)
def test_a_section_says_how_many_rows_it_leaves_out_and_where_they_are(students: int) -> None:
    for name in SECTIONS:
        whole = {t.title: t for t in section(MADE[students], name)}
        for table in screen_section(MADE[students], name):
            missing = len(whole[table.title].rows) - len(table.rows) if table.title in whole else 0
            if missing > 0 and table.title == "Break- and fix-rates, percent":
                assert (
                    table.notes[0] == "Each edge: --section matrix; by gate state: --section break-rates --format csv."
                )
            elif missing > 0:
                assert table.notes[0].startswith(f"{len(table.rows)} of {len(whole[table.title].rows)} rows: ")
                assert table.notes[0].endswith(f"--section {name} --format csv")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_of_32_students_is_bounded(width: int) -> None:
    results = MADE[32]
    assert len(headline_of(results, width)) <= 60
    lengths = {t.title: len(printed(t, width).splitlines()) for t in screen_tables(results)}
    assert max(lengths.values()) <= 130
    assert sum(lengths.values()) <= 1000
    assert sum(lengths.values()) <= 1.1 * sum(len(printed(t, width).splitlines()) for t in screen_tables(MADE[16]))


@pytest.mark.parametrize("students", STUDENTS)
def test_files_have_every_student_and_every_edge(students: int) -> None:
    results = MADE[students]
    edges = students * (students - 1)
    by_title = {t.title: t for t in all_tables(results)}
    assert len(by_title["Gate decisions"].rows) == 2 * edges
    assert len(by_title["Feedback outcomes"].rows) == edges + (edges > 1)
    assert len(by_title["Pareto verdicts"].rows) >= 3 * (students + 1)
    listed = [row[0] for row in by_title["Break- and fix-rates, percent"].rows]
    assert len([edge for edge in listed if " -> " in edge]) == 3 * edges
    assert render(list(by_title.values()), "csv").count("\n") > sum(len(t.rows) for t in by_title.values())
    if students == 32:
        matrix = next(t for t in by_title.values() if t.title.startswith("Tutor x tutee"))
        assert (len(matrix.rows), len(matrix.columns)) == (32, 33)


@pytest.mark.parametrize("students", [16, 32])
def test_every_table_names_students_in_the_graphs_order(students: int) -> None:
    """Also of results that were written in the order of the alphabet."""
    found = MADE[students].model_dump()
    for name in ("feedback", "break_rates", "hostile"):
        found[name].sort(key=lambda c: c["edge"])
    for committee in found["committees"]:
        committee["authors"].sort(key=lambda a: a["author"])
    results = Results.model_validate(found)
    for tables in (all_tables(results), screen_tables(results), page_tables(results)):
        for table in tables:
            for part in (table.columns, *_columns(table)):
                places = [tuple(int(n) for n in _STUDENT.findall(cell)) for cell in part]
                places = [p for p in places if p]
                if "rank" in table.columns:
                    continue
                assert all(_starts_anew(a, b) or a <= b for a, b in pairwise(places)), table.title


def _columns(table: Table) -> list[list[str]]:
    """The columns that name students, within each group of rows."""
    keys = [k for k, name in enumerate(table.columns) if name in ("student", "tutor -> tutee", "tutor", "author")]
    return [[row[k] for row in table.rows] for k in keys]


def _starts_anew(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Another group of rows begins: with a student, or an edge, that stands before most."""
    return after[0] < before[0] and after < (13, 0)


def test_what_is_shown_by_its_ends_is_a_table_that_exists() -> None:
    titles = {t.title for count in (2, 32) for t in (*all_tables(MADE[count]), *screen_tables(MADE[count]))}
    assert set(_ENDS) <= titles
    columns = {t.title: t.columns for t in (*all_tables(MADE[32]), *screen_tables(MADE[32]))}
    for title, how in _ENDS.items():
        assert {*how.by, *how.within, *(how.always or {})} <= set(columns[title]), title


def test_up_to_twelve_students_stand_beside_one_another() -> None:
    few = [t.title for t in screen_section(MADE[FEW_STUDENTS], "matrix")]
    many = [t.title for t in screen_section(MADE[FEW_STUDENTS + 1], "matrix")]
    assert all(title.startswith("Tutor x tutee") for title in few)
    assert many == ["Break- and fix-rates by edge, percent"]


def test_a_page_is_not_made_too_heavy_by_its_tables() -> None:
    assert sum(len(t.rows) * len(t.columns) for t in page_tables(MADE[32])) < 30_000
    assert all(t.rows for t in page_tables(MADE[2]))
