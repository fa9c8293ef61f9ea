"""The rows of one file: JSON, JSON Lines, CSV and TSV (each also as .gz), Parquet, Arrow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from coopt.core.errors import DataError
from coopt.core.outside.files import TooMuchError, UnreadableError, read_unpacked
from coopt.core.outside.parse import parse_row
from coopt.core.outside.tables import LONGEST_CELL, Cells, arrow_stream, parquet_file

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".parquet")
_LARGEST = 1 << 29  # bytes of a file when unpacked
MOST_ROWS = 1_000_000
"""Of a file, and of all files of a source together."""
_MOST_VALUES = 8 * MOST_ROWS  # in the lists of a column, of the rows that a file keeps together
_NEXT = "Kinds of files, and what they hold: docs/data.md."
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
        raise DataError(f"{file}: {error}. {_NEXT}") from None


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
        raise DataError(f"{where}: {error}. {_NEXT}") from None


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
        raise DataError(f"{file} line {cells.line}: {error}. {_NEXT}") from None


def _parquet(file: Path) -> Iterator[Any]:
    """Row by row: of a file whose rows are alike, a small part says many, and only a few at a time are written out."""
    try:
        with parquet_file(file) as plain:
            if plain.metadata.num_rows > MOST_ROWS:
                raise too_many(file, plain.metadata.num_rows)
            _check_values(plain.metadata, file)
            leaves = [plain.schema.column(k) for k in range(len(plain.schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with parquet_file(file, texts) as packed:
            for group in range(packed.num_row_groups):  # each for itself: Arrow joins no lists of two dictionaries
                for batch in packed.iter_batches(batch_size=_BATCH, row_groups=[group]):
                    yield from _rows_of_batch(batch, file)
    except UnreadableError as error:
        raise DataError(f"{file}: {error}. {_NEXT}") from None


def _check_values(head: Any, file: Path) -> None:
    """Refuse a file by its head: of a list of equal values, however long, a few bytes are kept."""
    for group in map(head.row_group, range(head.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.num_values > _MOST_VALUES:
                raise DataError(
                    f"{file}: {column.num_values:,} values in column {column.path_in_schema}. Most: {_MOST_VALUES:,}."
                )


def _arrow(file: Path) -> Iterator[Any]:
    """A file of a folder that ``datasets`` saved: a stream of record batches."""
    try:
        with arrow_stream(file) as batches:
            for batch in batches:
                if batch.num_rows > MOST_ROWS:
                    raise too_many(file, batch.num_rows)
                for start in range(0, batch.num_rows, _BATCH):
                    yield from _rows_of_batch(batch.slice(start, _BATCH), file)
    except UnreadableError as error:
        raise DataError(f"{file}: {error}. {_NEXT}") from None


def _rows_of_batch(batch: Any, file: Path) -> Sequence[Any]:
    """The rows of a few records, once the longest of their texts is known not to be too long."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = list(batch.columns)
    while columns:
        column = columns.pop()
        if pa.types.is_dictionary(column.type):
            columns.append(column.dictionary)
        elif pa.types.is_struct(column.type):
            columns += column.flatten()
        elif pa.types.is_map(column.type):
            columns += [column.keys, column.items]
        elif pa.types.is_union(column.type):
            columns += map(column.field, range(column.type.num_fields))
        elif pa.types.is_nested(column.type):
            columns.append(column.flatten())
        elif isinstance(column, pa.StringArray | pa.LargeStringArray | pa.BinaryArray | pa.LargeBinaryArray):
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > LONGEST_CELL:
                raise DataError(f"{file}: a cell of {longest >> 20:,} MB. Most: {LONGEST_CELL >> 20} MB.")
    rows: Sequence[Any] = batch.to_pylist()
    return rows


def too_many(file: Path | str, rows: int) -> DataError:
    """The refusal of more rows than are ever meant."""
    return DataError(f"{file}: {rows:,} rows. Most: {MOST_ROWS:,}. Give a part of them.")


_READERS: dict[str, Callable[[Path], Iterator[Any]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".arrow": _arrow,
}
