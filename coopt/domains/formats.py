"""The rows of one file: JSON, JSON Lines, CSV and TSV (each also as .gz), Parquet, Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from coopt.core.errors import DataError
from coopt.core.outside.files import TooMuchError, UnreadableError, read_unpacked
from coopt.core.outside.parquet import Footer
from coopt.core.outside.parse import parse_row
from coopt.core.outside.tables import Cells, arrow_rows, parquet_rows
from coopt.core.outside.written_out import MOST_VALUES

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".parquet")
_LARGEST = 1 << 29  # bytes of a file when unpacked
MOST_ROWS = 1_000_000
"""Of a file, and of all files of a source together."""
NEXT = "Kinds of files, and what they hold: docs/data.md."
"""What errors end with."""
_BATCH = 256  # rows of a table that are unpacked at once


def ending_of(file: Path) -> str:
    """`.csv` of both `a.csv` and `a.csv.gz`; empty for a kind of file that is not read."""
    name = file.name.lower()
    plain = name.removesuffix(".gz")
    ending = "." + plain.rpartition(".")[2]
    if ending == ".arrow":
        return ending if plain == name and _is_saved(file) else ""
    return ending if ending in ENDINGS and not (ending == ".parquet" and plain != name) else ""


def _is_saved(file: Path) -> bool:
    """Whether an Arrow file belongs to a folder that ``datasets`` saved (and is not of its cache)."""
    return (file.parent / "dataset_info.json").is_file() and not file.name.startswith("cache-")


def rows_of(file: Path, columns: Sequence[str] = ()) -> Iterator[Any]:
    """The rows of a file that has an ending. ``columns`` names those of a CSV or TSV whose first line is a row.

    Raises ``DataError`` in one line with the file, and row or line.
    """
    ending = ending_of(file)
    return _table(file, columns) if ending in (".csv", ".tsv") else _READERS[ending](file)


def _text(file: Path) -> str:
    try:
        return read_unpacked(file, _LARGEST)
    except TooMuchError as error:
        raise DataError(f"{file}: {error}. Split it into several files.") from None
    except UnreadableError as error:
        raise DataError(f"{file}: {error}. {NEXT}") from None


def _json(file: Path) -> Iterator[Any]:
    text = _text(file)
    if not text.strip():
        return
    value = _parsed(text, str(file))
    if not isinstance(value, list):
        raise DataError(f"{file}: a .json file must hold a list of rows; for one row a line use .jsonl.")
    yield from value


def _json_lines(file: Path) -> Iterator[Any]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if line.strip():
            yield _parsed(line, f"{file} row {number}")


def _parsed(text: str, where: str) -> Any:
    try:
        return parse_row(text)
    except UnreadableError as error:
        raise DataError(f"{where}: {error}. {NEXT}") from None


def _table(file: Path, columns: Sequence[str]) -> Iterator[Any]:
    text = _text(file)
    head = text.partition("\n")[0]
    mark = "\t" if ending_of(file) == ".tsv" else ";" if ";" in head and "," not in head else ","
    cells = Cells(text, mark)
    lines = iter(cells)
    try:
        names = [n.strip() for n in columns or next(lines, [])]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            raise DataError(
                f"{file} line 1: column '{twice[0]}' appears twice. The first line names the columns; if it is a row,"
                " name them in a mapping (source.columns, docs/data.md)."
            )
        for line in lines:
            if len(line) > len(names):
                raise DataError(f"{file} line {cells.line}: more cells than the {len(names)} columns.")
            yield {name: cell and cell.strip() for name, cell in zip_longest(names, line)}
    except UnreadableError as error:
        raise DataError(f"{file} line {cells.line}: {error}. {NEXT}") from None


def _parquet(file: Path) -> Iterator[Any]:
    """Row by row: of a file whose rows are alike, a small part says many, and only a few at a time are written out."""

    def check(footer: Footer) -> None:
        if footer.rows > MOST_ROWS:
            raise too_many(file, footer.rows)
        for chunk in (chunk for group in footer.groups for chunk in group.chunks):
            # Of a list of equal values, however long, a few bytes are kept.
            if chunk.values > MOST_VALUES:
                raise DataError(f"{file}: {chunk.values:,} values in column {chunk.leaf.path}. Most: {MOST_VALUES:,}.")

    yield from _told(file, parquet_rows(file, _BATCH, check))


def _arrow(file: Path) -> Iterator[Any]:
    """A file of a folder that ``datasets`` saved: a stream of record batches."""

    def check(batch: Any) -> None:
        if batch.num_rows > MOST_ROWS:
            raise too_many(file, batch.num_rows)

    yield from _told(file, arrow_rows(file, _BATCH, check))


def _told(file: Path, rows: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from rows
    except UnreadableError as error:
        raise DataError(f"{file}: {error}. {NEXT}") from None


def too_many(file: Path | str, rows: int) -> DataError:
    """The refusal of more rows than are ever meant."""
    return DataError(f"{file}: {rows:,} rows. Most: {MOST_ROWS:,}. Give a part of them.")


_READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
}
