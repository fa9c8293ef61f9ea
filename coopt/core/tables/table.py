"""One table, four formats to paste; the screen is ``coopt.core.tables.screen``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tabulate import tabulate

from coopt.core.text import markdown, one_line, spreadsheet, visible

Format = Literal["rich", "md", "csv", "json", "latex"]
FORMATS: tuple[Format, ...] = ("rich", "md", "csv", "json", "latex")


@dataclass(frozen=True)
class Table:
    """A title, columns, rows of text, and notes that belong under it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)

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
    rows = [[markdown(cell) for cell in row] for row in table.rows]
    body = tabulate(rows, headers=[markdown(c) for c in table.columns], tablefmt="github", disable_numparse=True)
    notes = "".join(f"\n*{markdown(n)}*\n" for n in table.notes)
    return f"### {markdown(table.title)}\n\n{body}\n{notes}"


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", *map(spreadsheet, table.columns)])
    writer.writerows([spreadsheet(table.title), *map(spreadsheet, row)] for row in table.rows)
    return out.getvalue()
