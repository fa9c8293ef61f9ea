"""Tables and lines on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from coopt.core.tables.fit import fitted, widths_in, wrapped
from coopt.core.tables.table import Table
from coopt.core.text import visible

_STYLES = {"improves": "green", "better": "green", "yes": "green", "open": "green", "worse": "red", "closed": "yellow"}
_FILE_WIDTH = 150  # columns of a table that goes to a file or a pipe, unless COLUMNS says how many


def output() -> Console:
    """Standard output; wide where neither a window nor ``COLUMNS`` limits it."""
    console = Console(highlight=False)
    if console.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return console
    return Console(highlight=False, width=_FILE_WIDTH)


def show(tables: Sequence[Table], console: Console) -> None:
    """Print to a terminal."""
    for part in renderables(tables, console.width):
        console.print(part)


def renderables(tables: Sequence[Table], width: int) -> Iterator[Group]:
    """What rich prints of tables of any size."""
    for table in tables:
        for part in fitted(table, width):
            yield _renderable(part, width)


def show_lines(lines: Sequence[str], console: Console) -> None:
    """Print plain text, wrapped between words and not inside an interval; what warns is bold."""
    for line in lines:
        style = "bold red" if line.startswith("WARNING") else ""
        console.print(Text(wrapped(visible(line), console.width), style=style))


def _renderable(table: Table, width: int) -> Group:
    """What rich prints of a table that fits ``width``. Cells are text, never markup: they may hold model output."""
    grid = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    widths = widths_in(table, width)
    for column, wide in zip(table.columns, widths, strict=True):
        grid.add_column(wrapped(column, wide), overflow="fold", width=wide)
    for row in table.rows:
        cells = zip(row, widths, strict=True)
        grid.add_row(*(Text(wrapped(cell, wide), style=_STYLES.get(cell, "")) for cell, wide in cells))
    notes = [Text(wrapped(f"  {note}", width), style="dim") for note in table.notes]
    return Group(grid, *notes, Text(""))
