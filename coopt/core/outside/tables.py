"""Files of rows and of tensors, opened with their faults as one line: CSV, Parquet, Arrow, safetensors."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from coopt.core.errors import CooptError
from coopt.core.outside.arrow_sizes import check_batches
from coopt.core.outside.files import UnreadableError, ordinary

LONGEST_CELL = 1 << 20
"""Bytes of a table's cell; of one in a text, characters."""
_LARGEST_BATCH = 1 << 29  # bytes of rows that are unpacked together


class Cells:
    """The lines of a table as text; ``line``: where the last one ended."""

    def __init__(self, text: str, mark: str) -> None:
        self._mark = mark
        csv.field_size_limit(LONGEST_CELL)  # Python's own, of the whole process, is an eighth of that
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)

    @property
    def line(self) -> int:
        return self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        """Lines that are not empty. Raises ``UnreadableError``."""
        try:
            yield from filter(None, self._reader)
        except csv.Error as error:
            if "field limit" in str(error):
                raise UnreadableError(f"a cell of more than {LONGEST_CELL >> 20} MB") from None
            raise UnreadableError(f"not a table with '{self._mark}' between cells ({error})") from None


@contextmanager
def parquet_file(source: Path | bytes, texts: Sequence[str] = ()) -> Iterator[Any]:
    """A ``pyarrow.parquet.ParquetFile``; ``texts``: columns that stay dictionaries, so that a text which many rows
    share stands in memory once. Raises ``UnreadableError``, also for what is wrong further inside, and of a file of
    which a group of rows is too large when unpacked."""
    import pyarrow as pa
    from pyarrow import parquet

    given = pa.BufferReader(source) if isinstance(source, bytes) else str(ordinary(source))
    with _arrow_faults("Parquet file"), parquet.ParquetFile(given, read_dictionary=list(texts)) as file:
        _check_groups(file.metadata)
        yield file


def _check_groups(head: Any) -> None:
    for group in map(head.row_group, range(head.num_row_groups)):
        size = sum(group.column(k).total_uncompressed_size for k in range(group.num_columns))
        if size > _LARGEST_BATCH:
            raise UnreadableError(
                f"{size >> 20:,} MB in a group of rows when unpacked. Most: {_LARGEST_BATCH >> 20} MB"
            )


@contextmanager
def arrow_stream(path: Path) -> Iterator[Any]:
    """The batches of a stream, each one looked through first: it may say that a text lies where no text is. Raises as
    ``parquet_file``."""
    import pyarrow as pa

    check_batches(path, _LARGEST_BATCH)
    with (
        _arrow_faults("Arrow stream"),
        pa.OSFile(str(ordinary(path))) as source,
        pa.ipc.open_stream(source) as stream,
    ):
        yield _sound(stream)


def _sound(stream: Any) -> Iterator[Any]:
    for batch in stream:
        batch.validate(full=True)
        yield batch


@contextmanager
def tensors_of(path: Path) -> Iterator[Any]:
    """A safetensors file, as numpy reads it: its head, and whether the rest is there. Raises ``UnreadableError``."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(ordinary(path), framework="np") as file:
            yield file
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, UnreadableError):
            raise
        raise UnreadableError(f"not a complete safetensors file ({_first_line(error)})") from None


def arrays_of(path: Path) -> dict[str, Any]:
    """The arrays of an `.npz` file. Raises ``UnreadableError``, and ``FileNotFoundError``."""
    import numpy as np

    try:
        with np.load(ordinary(path), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise UnreadableError(f"not a complete file of arrays ({_first_line(error)})") from None


@contextmanager
def _arrow_faults(kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (UnreadableError, CooptError):
        raise
    except (OSError, ValueError, OverflowError, pa.ArrowException) as error:
        raise UnreadableError(f"not a readable {kind} ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
