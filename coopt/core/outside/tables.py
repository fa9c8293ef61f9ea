"""Files of rows and of tensors, opened with their faults as one line: CSV, Parquet, Arrow, safetensors."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from coopt.core.errors import CooptError
from coopt.core.outside.arrow_sizes import check_batches
from coopt.core.outside.files import UnreadableError, ordinary
from coopt.core.outside.parquet import TEXT, TEXT_OF_ONE_LENGTH, Footer, footer_of, pages_of
from coopt.core.outside.written_out import LARGEST_BATCH, LONGEST_CELL, written_out

_A_VALUE = 8  # bytes that a value in a list takes at least, with what says where its list ends


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
def parquet_file(source: Path | bytes, footer: Footer) -> Iterator[Any]:
    """A ``pyarrow.parquet.ParquetFile``, in which texts stay dictionaries, so that one which many rows share stands in
    memory once. ``footer``: the file's. Raises ``UnreadableError``, also for what is wrong further inside, where the
    footer lies, and of a file of which a group of rows is too large when unpacked."""
    import pyarrow as pa

    with _arrow_faults("Parquet file"):
        texts = {text for group in _groups(source, footer) for text in group.texts}
        with _parquet(pa.BufferReader(source) if isinstance(source, bytes) else str(source), sorted(texts)) as file:
            yield file


def parquet_rows(path: Path, at_once: int, check: Callable[[Footer], None]) -> Iterator[Any]:
    """The rows of a Parquet file, of which at most ``at_once`` are unpacked together. ``check``: is told the footer
    before anything else is looked at. Raises as ``parquet_file``."""
    footer = footer_of(path)
    check(footer)
    groups = list(_groups(path, footer))
    with _arrow_faults("Parquet file"):
        for how, numbers in groupby(range(len(groups)), lambda k: groups[k]):
            each = max(1, min(at_once, LARGEST_BATCH // max(1, how.a_row)))
            with _parquet(str(path), how.texts) as file:
                for number in numbers:  # each for itself: no batch may have lists of two dictionaries
                    for batch in file.iter_batches(batch_size=each, row_groups=[number]):
                        yield from written_out(batch)


def _parquet(given: Any, texts: Sequence[str]) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(given, read_dictionary=list(texts))


class _Group(NamedTuple):
    """How the columns of a group of rows are read. ``texts``: those that stay dictionaries; ``a_row``: bytes that one
    row may become of what is unpacked."""

    texts: tuple[str, ...]
    a_row: int


def _groups(source: Path | bytes, footer: Footer) -> Iterator[_Group]:
    for columns in pages_of(source, footer):
        size = a_row = 0
        texts = []
        for leaf, pages in zip(footer.leaves, columns, strict=True):
            if pages.prefixes and leaf.in_lists:
                raise UnreadableError(f"lists of texts by their prefixes (DELTA_BYTE_ARRAY) in column {leaf.path}")
            if leaf.kind == TEXT and pages.dictionary and not pages.prefixes:
                texts.append(leaf.path)
            # Of texts that are all the same length, and in lists of all else, few bytes may stand for many values.
            length = leaf.length if leaf.kind == TEXT_OF_ONE_LENGTH else 0
            size += max(pages.unpacked, pages.values * max(length, _A_VALUE)) if leaf.in_lists else pages.unpacked
            a_row += pages.largest if pages.prefixes else 0 if leaf.in_lists else length
        if size > LARGEST_BATCH:
            raise UnreadableError(f"{size >> 20:,} MB in a group of rows when unpacked. Most: {LARGEST_BATCH >> 20} MB")
        yield _Group(tuple(texts), a_row)


@contextmanager
def arrow_stream(path: Path) -> Iterator[Any]:
    """The batches of a stream, each one looked through first: it may say that a text lies where no text is. Raises as
    ``parquet_file``."""
    import pyarrow as pa

    check_batches(path, LARGEST_BATCH)
    with (
        _arrow_faults("Arrow stream"),
        pa.OSFile(str(ordinary(path))) as source,
        pa.ipc.open_stream(source) as stream,
    ):
        yield _sound(stream)


def arrow_rows(path: Path, at_once: int, check: Callable[[Any], None]) -> Iterator[Any]:
    """The rows of a stream, of which at most ``at_once`` are written out together. ``check``: is told each batch before
    that. Raises as ``parquet_file``."""
    with arrow_stream(path) as batches:
        for batch in batches:
            check(batch)
            for start in range(0, batch.num_rows, at_once):
                yield from written_out(batch.slice(start, at_once))


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
