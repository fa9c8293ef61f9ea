"""One table, four formats to paste; the screen is ``coopt.core.tables.screen``."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tabulate import tabulate

from coopt.core.text import markdown, one_line, spreadsheet, visible

Format = Literal["rich", "md", "csv", "json", "latex"]
FORMATS: tuple[Format, ...] = ("rich", "md", "csv", "json", "latex")
_NO_WORD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Table:
    """A title, columns, rows of text, and notes that belong under it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)
    links: Mapping[str, str] = field(default_factory=dict)
    """What a cell of Markdown leads to, by its text. Addresses are coopt's own."""
    keys: int = 0
    """How many columns, the first ones, name a row; 0: those that look like it (``coopt.core.tables.fit``)."""

    def __post_init__(self) -> None:
        # Here, so that whatever shows a table shows text: cells hold what models, rows and servers wrote.
        object.__setattr__(self, "title", one_line(self.title))
        object.__setattr__(self, "columns", [visible(c, kept="\n") for c in self.columns])
        object.__setattr__(self, "rows", [[visible(c, kept="\n") for c in row] for row in self.rows])
        object.__setattr__(self, "notes", [one_line(n) for n in self.notes])


def render(tables: Sequence[Table], style: Format) -> str:
    """The tables as text that pastes into a paper, a page or a program. ``rich`` goes to a screen."""
    if style == "json":
        return json.dumps(
            [{"title": t.title, "rows": [dict(zip(t.columns, r, strict=True)) for r in t.rows]} for t in tables],
            indent=1,
            ensure_ascii=False,
        )
    return "\n".join(_csv(t) if style == "csv" else _text(t, style) for t in tables)


def _text(table: Table, style: Format) -> str:
    if style == "latex":
        rows = [[one_line(cell) for cell in row] for row in table.rows]
        body = tabulate(rows, headers=table.columns, tablefmt="latex_booktabs", disable_numparse=True)
        comments = "".join(f"% {n}\n" for n in (table.title, *table.notes))
        return f"{comments}{body}\n"
    rows = [[_linked(table, cell) for cell in row] for row in table.rows]
    body = tabulate(rows, headers=[markdown(c) for c in table.columns], tablefmt="github", disable_numparse=True)
    notes = "".join(f"\n*{markdown(n)}*\n" for n in table.notes)
    return f"### {markdown(table.title)}\n\n{body}\n{notes}"


def _linked(table: Table, cell: str) -> str:
    """A cell of Markdown."""
    return f"[{markdown(cell)}]({table.links[cell]})" if cell in table.links else markdown(cell)


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", *headings(table.columns)])
    writer.writerows([spreadsheet(cell) for cell in (table.title, *row)] for row in table.rows)
    return out.getvalue()


def headings(columns: Sequence[str]) -> list[str]:
    """One word for each column, each of them once: ``score, %`` is score_percent. A heading that is a number, or was
    there already, is named with the column before it: the ``95 %`` of a change is change_95_percent."""
    found: list[str] = []
    for column in columns:
        plain = unicodedata.normalize("NFKD", column.replace("%", " percent ")).encode("ascii", "ignore").decode()
        word = _NO_WORD.sub("_", plain).strip("_").lower() or "column"
        if word in found or word == "table" or word[0].isdigit():
            word = f"{found[-1] if found else 'column'}_{word}"
        number, once = 2, word
        while word in found:
            word, number = f"{once}_{number}", number + 1
        found.append(word)
    return found
