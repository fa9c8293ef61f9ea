"""Text of others stays text wherever it is shown."""

from __future__ import annotations

import csv
import io
import pickle
import unicodedata
from pathlib import Path

import pytest

from coopt.core.errors import DamagedError, DataError
from coopt.core.tables.screen import output, show, show_lines
from coopt.core.tables.table import FORMATS, Table, render
from coopt.core.text import markdown, one_line, spreadsheet, visible

STEERING = [
    *map(chr, (*range(0, 9), 11, 12, *range(14, 32), *range(127, 160))),
    "\u202e", "\u2066", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u061c", "\u2028", "\u2029", "\U000e0041",
    "\ud800", "\u3164", "\x1b[2J\x1b]8;;http://x\x07",
]  # fmt: skip


@pytest.mark.parametrize("mark", STEERING)
def test_what_steers_or_hides_is_shown(mark: str) -> None:
    hostile = f"a{mark}b"
    assert "�" in visible(hostile)
    for text in (visible(hostile), one_line(hostile), str(DataError(f"file {hostile}: no rows.")), markdown(hostile)):
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)
        assert mark not in text
        text.encode()


@pytest.mark.parametrize("text", ["plain", "H₂O, Δ = 3 µm", "日本語 и عربى", "a\nb\tc", "e\u0301", "✔\ufe0f"])
def test_ordinary_text_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85", "\x1c"])
def test_an_error_is_one_line(end: str) -> None:
    line = str(DataError(f"the name 'a{end}coopt: all is well{end}' is not there."))
    assert len(line.splitlines()) == 1
    assert len(str(DataError("x" * 100_000))) < 5000


def table(cell: str) -> Table:
    return Table(cell, [cell, "b"], [[cell, "1.0"], [cell, "< 0.001"]], [cell])


@pytest.mark.parametrize("style", [f for f in FORMATS if f != "rich"])
@pytest.mark.parametrize("mark", ["\x1b[31m", "\u202e", "\u200b", "\x9b2J"])
def test_no_format_of_a_table_lets_it_through(style: str, mark: str) -> None:
    assert mark not in render([table(f"a{mark}b")], style)  # type: ignore[arg-type]


def test_the_screen_lets_nothing_through(capsys: pytest.CaptureFixture[str]) -> None:
    show([table("a\x1b[31m\u202eb")], output())
    show_lines(["note \x1b[31m\u202e"], output())
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\u202e" not in printed


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("<!-- x", "&lt;!-- x"),
        ("&lt;img&gt; &#60;b", "&amp;lt;img&amp;gt; &amp;#60;b"),
        ("![x](http://e/p.png)", "![x]\\(http://e/p.png)"),
        ("a|b", "a\\|b"),
        ("a\\|b", "a\\&#124;b"),
        ("a\n| b", "a \\| b"),
        ("< 0.001", "< 0.001"),
        ("s1 -> s2 & s3", "s1 -> s2 & s3"),
        ("[+1.0, +2.0]", "[+1.0, +2.0]"),
    ],
)
def test_markdown_shows_what_is_written(text: str, written: str) -> None:
    assert markdown(text) == written


def test_a_markdown_table_keeps_its_rows_and_columns() -> None:
    lines = render([table("a | b\n\n# c <b>")], "md").splitlines()
    assert [line for line in lines if line.startswith("#")] == ["### a \\| b # c &lt;b>"]
    assert sum(line.startswith("|") for line in lines) == 4


def test_latex_comments_hold_no_command() -> None:
    text = render([table("a\n\\input{/etc/passwd} & 100 % #")], "latex")
    for line in text.splitlines():
        assert line.startswith("%") or "\\input" not in line
    assert "\\&" in text


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+1*cmd|' /C calc'!A0", "-1+x", "=\x1b"])
def test_csv_holds_no_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(render([table(text)], "csv"))))
    assert all(cell[:1] not in "=@" or not cell for row in rows for cell in row)
    assert rows[1][1].startswith("'")


@pytest.mark.parametrize("text", ["+1.3", "-2.0", "–", "[-1.0, +2.0]", "-", "+1.3 [+1.0, +2.0]"])
def test_numbers_are_not_quoted(text: str) -> None:
    assert spreadsheet(text) == text


def test_a_link_of_coopts_own_leads_somewhere_in_markdown_alone() -> None:
    made = Table("t", ["name"], [["a|b"], ["[x](y)"]], links={"a|b": "../a.json"})
    text = render([made], "md")
    assert "[a\\|b](../a.json)" in text
    assert "[x](y)" not in text
    assert "../a.json" not in render([made], "csv")


def test_damage_is_one_visible_line_too() -> None:
    assert str(DamagedError("a\x1b[31m\nb")) == "a�[31m b"
    assert pickle.loads(pickle.dumps(DamagedError("a", Path("x")))).output == Path("x")
