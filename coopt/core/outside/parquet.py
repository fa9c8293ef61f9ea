"""What a Parquet file says of itself, read before Arrow is asked: its footer, and the heads of its pages.

Arrow ends the process at some footers, asks memory for what the pages say and not for what the footer says, and leaves
out what comes after the footer's number of values. So footer and pages are compared here. Source: parquet.thrift of
Apache Parquet.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from coopt.core.outside.files import UnreadableError, opened
from coopt.core.outside.thrift import NoThriftError, Struct, read_struct

MAGIC = b"PAR1"
TAIL = 8
"""Bytes at the end: the length of the footer, and the magic number."""
TEXT, TEXT_OF_ONE_LENGTH = 6, 7
"""Kinds of leaves: BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY."""
_LARGEST_FOOTER = 1 << 26
_MOST_PAGES = 200_000
_HEADS = (1 << 10, 1 << 16, 1 << 22)  # bytes that are read for the head of a page: most take the first
_DEEPEST = 100  # columns inside one another
_REPEATED = 2
_DATA, _DICTIONARY, _DATA_2 = 0, 2, 3  # kinds of pages
_BY_PREFIX = 7  # the encoding in which a text says how much of the one before it has
_SLACK = 100  # bytes: some old writers did not count the head of the dictionary
_NOT = "not a readable Parquet file"


class Leaf(NamedTuple):
    """A column. ``length``: of its texts, if they are all of one; ``in_lists``: a row may have several values."""

    path: str
    kind: int
    length: int
    in_lists: bool


class Chunk(NamedTuple):
    """A column in a group of rows, as the footer has it; ``start`` and ``packed``: where its bytes are."""

    leaf: Leaf
    values: int
    start: int
    packed: int


class Group(NamedTuple):
    """Of rows; ``size``: bytes when unpacked, as the footer has it."""

    rows: int
    size: int
    chunks: list[Chunk]


class Footer(NamedTuple):
    """``length``: its bytes; ``keys``: of what its writer has added."""

    rows: int
    leaves: list[Leaf]
    groups: list[Group]
    keys: set[bytes]
    length: int


class Pages(NamedTuple):
    """What a chunk holds by its pages. ``unpacked``: bytes of all; ``largest``: of one; ``prefixes``: whether texts
    stand on those before them."""

    values: int
    unpacked: int
    largest: int
    dictionary: bool
    prefixes: bool


def footer_of(source: Path | bytes) -> Footer:
    """Raises ``UnreadableError``, also of a footer whose numbers of rows do not agree."""
    with _open(source) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        tail = file.read(TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or length > size - TAIL - len(MAGIC):
            raise UnreadableError(f"{_NOT} (it has no footer)")
        if length > _LARGEST_FOOTER:
            raise UnreadableError(f"a footer of more than {_LARGEST_FOOTER >> 20} MB")
        file.seek(size - TAIL - length)
        data = file.read(length)
    try:
        return _footer(read_struct(data)[0], length)
    except (NoThriftError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise UnreadableError(f"{_NOT} (its footer is damaged)") from None


def pages_of(source: Path | bytes, footer: Footer) -> Iterator[list[Pages]]:
    """What every group holds, chunk by chunk. Raises ``UnreadableError`` where the footer says something else."""
    left = _MOST_PAGES
    with _open(source) as file:
        for group in footer.groups:
            found = []
            for chunk in group.chunks:
                pages = list(_pages(file, chunk, left))
                left -= 1 + len(pages)
                found.append(_together(chunk, pages))
            yield found


def _open(source: Path | bytes) -> AbstractContextManager[BinaryIO]:
    return io.BytesIO(source) if isinstance(source, bytes) else opened(source)


def _lie(said: str, found: str) -> UnreadableError:
    return UnreadableError(f"{_NOT} (its footer says {said}, and {found})")


def _whole(struct: Struct, field: int) -> int:
    """A number that is there, and not below 0."""
    found = struct[field]
    if type(found) is not int or found < 0:
        raise NoThriftError
    return found


# -- the footer ----------------------------------------------------------------------------------------


def _footer(struct: Struct, length: int) -> Footer:
    elements = struct[2]
    leaves, end = _leaves(elements, 0, (), in_lists=False)
    if end != len(elements):
        raise NoThriftError
    groups = [_group(group, leaves) for group in struct.get(4, [])]
    rows, said = _whole(struct, 3), sum(group.rows for group in groups)
    if rows != said:
        raise _lie(f"{rows:,} rows", f"its groups have {said:,}")
    keys = {pair[1] for pair in struct.get(5) or []}
    return Footer(rows, leaves, groups, keys, length)


def _leaves(elements: list[Struct], at: int, path: tuple[str, ...], *, in_lists: bool) -> tuple[list[Leaf], int]:
    """Those below the element at a place, and the place after them. The root's name is in no path."""
    element = elements[at]
    own = (*path, element[4].decode()) if at else ()
    in_lists |= element.get(3) == _REPEATED
    children = _whole(element, 5) if 5 in element else 0
    if not children and 1 in element:
        length = _whole(element, 2) if 2 in element else 0
        return [Leaf(".".join(own), _whole(element, 1), length, in_lists)], at + 1
    if len(own) > _DEEPEST:
        raise UnreadableError(f"columns inside one another, deeper than {_DEEPEST}")
    found: list[Leaf] = []
    at += 1
    for _ in range(children):
        leaves, at = _leaves(elements, at, own, in_lists=in_lists)
        found += leaves
    return found, at


def _group(struct: Struct, leaves: list[Leaf]) -> Group:
    rows, chunks = _whole(struct, 3), [_chunk(c, leaf) for c, leaf in zip(struct[1], leaves, strict=False)]
    if len(struct[1]) != len(leaves):
        raise NoThriftError
    for chunk in chunks:
        # A row has one value of a column, an empty one too, and of one that holds lists at least one.
        if chunk.values < rows or (chunk.values > rows and not chunk.leaf.in_lists):
            raise _lie(f"{rows:,} rows in a group", f"{chunk.values:,} values in column {chunk.leaf.path} there")
    return Group(rows, _whole(struct, 2), chunks)


def _chunk(struct: Struct, leaf: Leaf) -> Chunk:
    data = struct[3]
    start = _whole(data, 9)
    if 0 < data.get(11, 0) < start:
        start = _whole(data, 11)
    return Chunk(leaf, _whole(data, 5), start, _whole(data, 7))


# -- the pages -----------------------------------------------------------------------------------------


class _Page(NamedTuple):
    kind: int
    values: int
    unpacked: int
    encoding: Any


def _together(chunk: Chunk, pages: list[_Page]) -> Pages:
    values = sum(page.values for page in pages)
    if values != chunk.values:
        raise _lie(f"{chunk.values:,} values in column {chunk.leaf.path}", f"its pages have {values:,}")
    return Pages(
        values,
        sum(page.unpacked for page in pages),
        max((page.unpacked for page in pages), default=0),
        any(page.kind == _DICTIONARY for page in pages),
        any(page.encoding == _BY_PREFIX for page in pages),
    )


def _pages(file: BinaryIO, chunk: Chunk, most: int) -> Iterator[_Page]:
    """Those that are read: until the footer's number of values has been seen."""
    place, end, seen = chunk.start, chunk.start + chunk.packed, 0
    while place < end and seen < chunk.values:
        head, length = _head(file, place)
        try:
            page, packed = _page(head)
        except (NoThriftError, KeyError, TypeError, AttributeError):
            raise _no_head() from None
        place += length + packed
        seen += page.values
        most -= 1
        if place > end + _SLACK:
            raise UnreadableError(f"{_NOT} (a page is cut off)")
        if most < 0:
            raise UnreadableError(f"more than {_MOST_PAGES:,} pages. Write it anew, with larger ones")
        yield page


def _page(head: Struct) -> tuple[_Page, int]:
    """A page by its head, and its length."""
    kind = _whole(head, 1)
    own = head[5] if kind == _DATA else head[8] if kind == _DATA_2 else {}
    values = _whole(own, 1) if own else 0
    encoding = own.get(2 if kind == _DATA else 4)
    return _Page(kind, values, _whole(head, 2), encoding), _whole(head, 3)


def _head(file: BinaryIO, place: int) -> tuple[Struct, int]:
    """The head of a page, and its length."""
    for most in _HEADS:
        file.seek(place)
        data = file.read(most)
        try:
            return read_struct(data)
        except NoThriftError:
            break
        except IndexError:  # it goes on
            if len(data) < most:
                break
    raise _no_head()


def _no_head() -> UnreadableError:
    return UnreadableError(f"{_NOT} (no head of a page where its footer says that one is)")
