"""The rows of one file: JSON, JSON Lines, CSV and TSV (each also as .gz), Parquet, Arrow."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from coopt.core.errors import DataError

ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".parquet")
_LARGEST = 1 << 29  # bytes of a file when unpacked
_LONGEST = 1 << 20  # bytes of a cell
MOST_ROWS = 1_000_000
"""Of a file, and of all files of a source together."""
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
        if file.name.lower().endswith(".gz"):
            with gzip.open(file) as packed:
                content = packed.read(_LARGEST + 1)
        else:
            content = file.read_bytes()
        if len(content) > _LARGEST:
            raise DataError(f"{file}: more than {_LARGEST >> 20} MB when unpacked. Split it into several files.")
        if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise DataError(f"{file}: the text is UTF-16. Save it as UTF-8 (iconv -f UTF-16 -t UTF-8).")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read as UTF-8 text ({error}).") from None


def _json(file: Path) -> Iterator[Any]:
    text = _text(file)
    if not text.strip():
        return
    value = _parsed(text, file)
    if not isinstance(value, list):
        raise DataError(f"{file}: a .json file must hold a list of rows; for one row a line use .jsonl.")
    yield from value


def _json_lines(file: Path) -> Iterator[Any]:
    for number, line in enumerate(_text(file).split("\n"), start=1):
        if line.strip():
            yield _parsed(line, file, number)


def _parsed(text: str, file: Path, row: int | None = None) -> Any:
    where = str(file) if row is None else f"{file} row {row}"
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = f"{file} line {error.lineno}" if row is None else where
        raise DataError(f"{at}: not JSON ({error.msg}).") from None
    except RecursionError:
        raise DataError(f"{where}: lists or tables inside one another too deep to be read.") from None
    except ValueError:
        raise DataError(f"{where}: a number of more than 4,300 digits. Write it as text.") from None


def _table(file: Path, columns: Sequence[str]) -> Iterator[Any]:
    text = _text(file)
    head = text.partition("\n")[0]
    mark = "\t" if ending_of(file) == ".tsv" else ";" if ";" in head and "," not in head else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), columns or None, delimiter=mark, strict=True)
    try:
        names = reader.fieldnames = [n.strip() for n in reader.fieldnames or []]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise DataError(
                f"{file} line 1: column '{twice[0]}' appears twice. The first line names the columns; if it is a row,"
                " name them in a mapping (source.columns, docs/data.md)."
            )
        for row in reader:
            if None in row:
                raise DataError(f"{file} line {reader.line_num}: more cells than the {len(names)} columns.")
            yield {name: cell and cell.strip() for name, cell in row.items()}
    except csv.Error as error:
        raise DataError(f"{file} line {reader.line_num}: not a table with '{mark}' between cells ({error}).") from None


def _parquet(file: Path) -> Iterator[Any]:
    """Row by row: of a file whose rows are alike, a small part says many, and only a few at a time are written out."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as plain:
            if plain.metadata.num_rows > MOST_ROWS:
                raise too_many(file, plain.metadata.num_rows)
            leaves = [plain.schema.column(k) for k in range(len(plain.schema))]
        # As dictionaries, a text that many rows share stands in memory once.
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(file, read_dictionary=texts) as packed:
            for batch in packed.iter_batches(batch_size=_BATCH):
                yield from _rows_of_batch(batch, file)
    except (OSError, ValueError, OverflowError, pa.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: not a Parquet file ({(str(error).splitlines() or ['?'])[0]}).") from None


def _arrow(file: Path) -> Iterator[Any]:
    """A file of a folder that ``datasets`` saved: a stream of record batches."""
    import pyarrow as pa

    try:
        with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                if batch.num_rows > MOST_ROWS:
                    raise too_many(file, batch.num_rows)
                for start in range(0, batch.num_rows, _BATCH):
                    yield from _rows_of_batch(batch.slice(start, _BATCH), file)
    except (OSError, ValueError, OverflowError, pa.ArrowException) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: not an Arrow stream ({(str(error).splitlines() or ['?'])[0]}).") from None


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
        elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            columns.append(column.flatten())
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > _LONGEST:
                raise DataError(f"{file}: a cell of {longest >> 20:,} MB. Most: {_LONGEST >> 20} MB.")
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
