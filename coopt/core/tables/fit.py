"""A table on a screen: no word and no number is split, and nothing is left out without a word.

Columns that do not fit beside one another stand in several tables, each with the columns that name its rows; of very
many rows the first and the last are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from coopt.core.tables.table import Table

MOST_ROWS = 60
_ENDS = (45, 10)
"""Rows of a longer table that are shown, at its beginning and its end."""
GAP = 3
"""Columns of the screen between two columns of a table."""
_MOST_KEYS = 3
_WORD = re.compile(r"\[[^\]\n]*\]|(?<!\S)\S{1,12} -> \S{1,12}(?!\S)|\S+")
"""An interval, an edge between short names, or anything without a space."""
_EDGES = 2
"""Columns of the screen beside a table."""


def fitted(table: Table, width: int) -> Iterator[Table]:
    """The table as one or several that fit ``width`` columns of the screen."""
    short = shortened(table)
    widths, keys = least_widths(short), short.keys or _key_columns(short)
    parts = list(_parts(widths, keys, width))
    if any(_total(widths, part) > width for part in parts):
        yield _upright(short)
        return
    for number, part in enumerate(parts, start=1):
        title = short.title if len(parts) == 1 else f"{short.title} (part {number} of {len(parts)})"
        last = number == len(parts)
        columns = [short.columns[k] for k in part]
        yield Table(title, columns, [[row[k] for k in part] for row in short.rows], short.notes if last else ())


def shortened(table: Table) -> Table:
    """Without the rows in the middle of a long table, and with a note that says so."""
    if len(table.rows) <= MOST_ROWS:
        return table
    first, last = _ENDS
    hidden = len(table.rows) - first - last
    gap = [f"({hidden} more)", *["..."] * (len(table.columns) - 1)]
    rows = [*table.rows[:first], gap, *table.rows[-last:]]
    note = f"{hidden} of {len(table.rows)} rows are not shown here; all of them: --format csv, md or json."
    return replace(table, rows=rows, notes=[note, *table.notes])


def _upright(table: Table) -> Table:
    """Of names that are too long to stand beside one another: a line a cell, and an empty one after each row."""
    lines = [line for row in table.rows for line in (*zip(table.columns, row, strict=True), ("", ""))]
    return Table(table.title, ["column", "value"], [list(line) for line in lines[:-1]], table.notes)


def least_widths(table: Table) -> list[int]:
    """The longest word, or interval, of every column: narrower, it would be split."""
    cells = [[head, *(row[k] for row in table.rows)] for k, head in enumerate(table.columns)]
    return [max((len(word) for cell in column for word in _WORD.findall(cell)), default=1) for column in cells]


def widths_in(table: Table, room: int) -> list[int]:
    """Widths of the columns: each what it would like to have, as far as there is room, and none below its longest
    word."""
    least = least_widths(table)
    liked = [
        max((len(line) for cell in (head, *(row[k] for row in table.rows)) for line in cell.split("\n")), default=1)
        for k, head in enumerate(table.columns)
    ]
    free = max(0, room - _total(least, range(len(least))))
    widths = list(least)
    wanting = sorted(range(len(least)), key=lambda k: liked[k] - least[k])
    for done, k in enumerate(wanting):
        more = min(max(0, liked[k] - least[k]), free // (len(wanting) - done))
        widths[k] += more
        free -= more
    return widths


def wrapped(text: str, width: int) -> str:
    """The text in lines of ``width``, broken between words only; an interval in brackets is one word. Only a word that
    is longer than a line is left to the screen."""
    return "\n".join(line if len(line) <= width else _filled(line, width) for line in text.split("\n"))


def _filled(line: str, width: int) -> str:
    lines = [line[: len(line) - len(line.lstrip())]]
    for word in _WORD.findall(line):
        if not lines[-1].strip():
            lines[-1] += word
        elif len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def _key_columns(table: Table) -> int:
    """How many columns name a row: those before the first that holds numbers. Where a table begins with numbers (a
    rank, a seed), the names behind them too."""
    numbers = [
        any(row[k][:1].isdigit() or row[k][:1] in "+-[" for row in table.rows if row[k])
        for k in range(len(table.columns))
    ]
    first_name = numbers.index(False) if False in numbers else 0
    names = numbers[first_name:].index(True) if True in numbers[first_name:] else 1
    return max(1, min(first_name + names, _MOST_KEYS))


def _parts(widths: Sequence[int], keys: int, room: int) -> Iterator[list[int]]:
    """Column numbers of each part: as many as fit, one at least beside the keys."""
    head = list(range(min(keys, len(widths))))
    part = list(head)
    for k in range(len(head), len(widths)):
        if len(part) > len(head) and _total(widths, [*part, k]) > room:
            yield part
            part = list(head)
        part.append(k)
    yield part


def _total(widths: Sequence[int], part: Sequence[int]) -> int:
    return sum(widths[k] for k in part) + GAP * (len(part) - 1) + _EDGES
