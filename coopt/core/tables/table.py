"""One table, five formats."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich import box
from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text
from tabulate import tabulate

Format = Literal["rich", "md", "csv", "json", "latex"]
FORMATS: tuple[Format, ...] = ("rich", "md", "csv", "json", "latex")
_STYLES = {"improves": "green", "better": "green", "yes": "green", "open": "green", "worse": "red", "closed": "yellow"}


@dataclass(frozen=True)
class Table:
    """A title, columns, rows of text, and notes that belong under it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default_factory=tuple)


def render(tables: Sequence[Table], style: Format) -> str:
    """The tables as text that pastes into a paper, a page or a program. ``rich`` goes through ``show``."""
    if style == "json":
        return json.dumps(
            [{"title": t.title, "rows": [dict(zip(t.columns, r, strict=True)) for r in t.rows]} for t in tables],
            indent=1,
            ensure_ascii=False,
        )
    return "\n".join(_csv(t) if style == "csv" else _text(t, style) for t in tables)


def _text(table: Table, style: Format) -> str:
    if style == "latex":
        body = tabulate(table.rows, headers=table.columns, tablefmt="latex_booktabs", disable_numparse=True)
        comments = "".join(f"% {n}\n" for n in (table.title, *table.notes))
        return f"{comments}{body}\n"
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    body = tabulate(rows, headers=table.columns, tablefmt="github", disable_numparse=True)
    notes = "".join(f"\n*{n}*\n" for n in table.notes)
    return f"### {table.title}\n\n{body}\n{notes}"


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", *table.columns])
    writer.writerows([table.title, *row] for row in table.rows)
    return out.getvalue()


_FILE_WIDTH = 150  # columns of a table that goes to a file or a pipe


def output() -> Console:
    """Standard output; wide where nobody's window limits it."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_FILE_WIDTH)


def show(tables: Sequence[Table], console: Console) -> None:
    """Print to a terminal."""
    for table in tables:
        console.print(renderable(table))


def show_lines(lines: Sequence[str], console: Console) -> None:
    """Print plain text, wrapped between words; what warns is bold."""
    for line in lines:
        console.print(Text(line, style="bold red" if line.startswith("WARNING") else ""))


def renderable(table: Table) -> Group:
    """What rich prints of a table. Cells are text, never markup: they may hold model output."""
    grid = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        grid.add_column(column, overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    notes = [Text(f"  {note}", style="dim") for note in table.notes]
    return Group(grid, *notes, Text(""))
