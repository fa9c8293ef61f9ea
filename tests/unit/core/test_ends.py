"""Long tables by their ends: the best, the worst, what is always shown, and a note that counts."""

from __future__ import annotations

from coopt.core.tables.ends import Ends, by_its_ends
from coopt.core.tables.table import Table

REST = "--section scores --format csv"


def scores(students: int) -> Table:
    rows = [["base", "–", "30.0", "–"]]
    rows += [["opcod", f"s{k}", f"{k}.0", f"{(k * 7) % students:+d}.5"] for k in range(students)]
    return Table("Scores", ["method", "student", "score", "change"], rows, ["A note."])


def test_both_ends_are_kept_in_the_tables_order_with_what_stands_for_all() -> None:
    short = by_its_ends(scores(31), Ends(("change",), ("method",), {"student": ("–",)}), REST)
    changes = sorted(float(row[3]) for row in scores(31).rows[1:])
    shown = [float(row[3]) for row in short.rows[1:]]
    each = len(shown) // 2
    assert short.rows[0][0] == "base"
    assert sorted(shown) == [*changes[:each], *changes[-each:]]
    assert [int(row[1][1:]) for row in short.rows[1:]] == sorted(int(row[1][1:]) for row in short.rows[1:])
    assert short.notes[0].startswith(
        f"{len(short.rows)} of 32 rows: of each method the {each} lowest and {each} highest"
    )
    assert short.notes[0].endswith(REST)
    assert short.notes[1] == "A note."


def test_every_group_has_its_ends_and_a_remark_makes_no_group() -> None:
    rows = [[f"m{m}", f"physics{' (native)' * (k % 2)}", f"{k}.0"] for m in range(20) for k in range(9)]
    short = by_its_ends(Table("T", ["method", "domain", "score"], rows), Ends(("score",), ("method", "domain")), REST)
    assert [(row[0], row[2]) for row in short.rows] == [(f"m{m}", v) for m in range(20) for v in ("0.0", "8.0")]


def test_rows_without_a_number_are_ordered_by_the_next_column_or_stand_low() -> None:
    rows = [["init", "–", f"{k}.0"] for k in range(30)] + [["x", "–", "too few"]]
    short = by_its_ends(Table("T", ["method", "change", "score"], rows), Ends(("change", "score")), REST)
    assert short.rows[0][2] == "0.0"
    assert short.rows[-2][2] == "29.0"
    assert short.rows[-1][2] == "too few"
