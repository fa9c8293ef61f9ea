"""Rows of Arrow's as Python's: of many rows that are alike Arrow holds one, and of a list that says little its length.

So what a few rows become is counted before they are written out, and where it is too much they are written out in
parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from coopt.core.outside.files import UnreadableError

LONGEST_CELL = 1 << 20
"""Bytes of a table's cell; of one in a text, characters."""
MOST_VALUES = 8_000_000
"""In the lists of a column, of the rows that a file keeps together; and of rows that are written out together."""
LARGEST_BATCH = 1 << 29
"""Bytes of rows that are unpacked together."""


class _Weight(NamedTuple):
    """``size``: bytes of all texts; ``longest``: of one."""

    values: int = 0
    size: int = 0
    longest: int = 0

    def with_(self, other: _Weight) -> _Weight:
        return _Weight(self.values + other.values, self.size + other.size, max(self.longest, other.longest))


def written_out(batch: Any) -> Iterator[Any]:
    """The rows of a record batch, of which as many are made at once as fit. Raises ``UnreadableError``."""
    found = weight_of(batch)
    if found.longest > LONGEST_CELL:
        raise UnreadableError(f"a cell of {found.longest >> 20:,} MB. Most: {LONGEST_CELL >> 20} MB")
    if found.size <= LARGEST_BATCH and found.values <= MOST_VALUES:
        yield from batch.to_pylist()
    elif batch.num_rows > 1:
        half = batch.num_rows // 2
        yield from written_out(batch.slice(0, half))
        yield from written_out(batch.slice(half))
    elif found.values > MOST_VALUES:
        raise UnreadableError(f"a row of {found.values:,} values. Most: {MOST_VALUES:,}")
    else:
        raise UnreadableError(f"a row of {found.size >> 20:,} MB. Most: {LARGEST_BATCH >> 20} MB")


def weight_of(table: Any) -> _Weight:
    """Of a record batch or a table."""
    found = _Weight()
    for column in table.columns:
        for chunk in getattr(column, "chunks", [column]):
            found = found.with_(_weight(chunk))
    return found


def _weight(array: Any) -> _Weight:
    import pyarrow as pa

    kind, own = array.type, _Weight(len(array))
    if isinstance(array, pa.ExtensionArray):
        return _weight(array.storage)
    if pa.types.is_dictionary(kind):
        return _of_dictionary(array)
    if pa.types.is_struct(kind):
        inner = array.flatten()
    elif pa.types.is_map(kind):
        inner = [array.keys, array.items]
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = [array.flatten()]
    elif pa.types.is_union(kind) and kind.mode == "sparse":
        inner = [array.field(k) for k in range(kind.num_fields)]
    elif _is_text(kind):
        return _of_texts(array)
    elif pa.types.is_null(kind) or pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        return own
    else:  # runs, views of lists, dense unions: many cells of theirs may be one
        raise UnreadableError(f"a column of type {kind}, which is not read")
    for one in inner:
        own = own.with_(_weight(one))
    return own


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    own = pa.types
    plain = own.is_string(kind) or own.is_large_string(kind) or own.is_binary(kind) or own.is_large_binary(kind)
    return bool(plain or own.is_fixed_size_binary(kind) or _is_view(kind))


def _is_view(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _of_texts(array: Any) -> _Weight:
    import pyarrow.compute as pc

    lengths = _lengths(array)
    return _Weight(len(array), pc.sum(lengths).as_py() or 0, pc.max(lengths).as_py() or 0)


def _lengths(array: Any) -> Any:
    """Of each text in bytes; of none: null, or anything."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _is_view(array.type):
        return pc.binary_length(array)
    found = np.frombuffer(array.buffers()[1], np.int32)[::4]  # with which each of the views begins, of 16 bytes
    return pa.array(found[array.offset : array.offset + len(array)])


def _of_dictionary(array: Any) -> _Weight:
    """Of what its places stand for, and not of the dictionary alone."""
    import pyarrow.compute as pc

    found = _weight(array.dictionary)
    if found.values > len(array.dictionary):
        raise UnreadableError(f"a column of type {array.type}, which is not read")
    size = pc.sum(_lengths(array.dictionary).take(array.indices)).as_py() if found.size else 0
    return _Weight(len(array), size or 0, found.longest)
