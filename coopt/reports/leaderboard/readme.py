"""The current leaderboard inside a Markdown file, between two comments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coopt.core import store
from coopt.core.errors import EntryError
from coopt.core.outside.files import UnreadableError, read_text
from coopt.core.tables.table import Table, render
from coopt.reports.leaderboard.board import Track, board_tables

BEGIN, END = "<!-- leaderboard: begin (written by make leaderboard) -->", "<!-- leaderboard: end -->"
_EMPTY = "No entries yet.\n"


def with_board(text: str, tables: list[Table]) -> str:
    """``text`` with the tables in place of what stands between the comments. Raises ``EntryError`` without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise EntryError(f"no place for the leaderboard: the file needs the lines '{BEGIN}' and '{END}'.")
    body = render(tables, "md") if tables else _EMPTY
    return f"{before}{BEGIN}\n\n{body.strip()}\n\n{END}{after}"


def document_tables(found: Sequence[Track], document: Path) -> list[Table]:
    """The tables as they stand in a Markdown file."""
    return board_tables(found, document.parent)


def write_board(path: Path, found: Sequence[Track]) -> None:
    """Bring a file up to date. Entries are links to their files."""
    try:
        store.write_text(path, with_board(read_text(path), document_tables(found, path)))
    except FileNotFoundError:
        raise EntryError(f"{path}: no such file.") from None
    except (EntryError, UnreadableError) as error:
        raise EntryError(f"{path}: {error}") from None
