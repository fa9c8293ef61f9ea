"""How large an Arrow stream becomes, read off its heads before anything is unpacked.

A stream is messages: a mark, the length of a head, the head (a FlatBuffers table), a body of buffers. A packed buffer
begins with the number of bytes that it unpacks to, which is what Arrow asks memory for. Source: the columnar format,
"IPC Streaming Format", and its schemas Message.fbs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from struct import error as ShortError
from struct import unpack_from
from typing import BinaryIO

from coopt.core.outside.files import UnreadableError, opened

_MARK = b"\xff\xff\xff\xff"
_MOST_HEAD = 1 << 24  # bytes
_DICTIONARY, _RECORDS = 2, 3  # kinds of heads
_KIND, _HEAD, _BODY = 1, 2, 3  # fields of a message
_BUFFERS, _PACKING = 2, 3  # fields of a record batch
_OF_DICTIONARY = 1  # field of a dictionary: its record batch


def check_batches(path: Path, most: int) -> None:
    """Refuse a stream of which a batch, or all its dictionaries together, have more than ``most`` bytes when unpacked.
    Raises ``UnreadableError``, and ``FileNotFoundError``."""
    kept = 0
    with opened(path) as file:
        for kind, size in _sizes(file):
            kept += size if kind == _DICTIONARY else 0
            if max(size, kept) > most:
                raise UnreadableError(f"{max(size, kept) >> 20:,} MB in a batch when unpacked. Most: {most >> 20} MB")


def _sizes(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """Kind and bytes when unpacked of every message that has a body."""
    end = os.fstat(file.fileno()).st_size
    while head := _head(file):
        try:
            message = _Table(head, *unpack_from("<I", head))
            kind, body = message.number(_KIND, "<B"), message.number(_BODY, "<q")
            start = file.tell()
            if not 0 <= body <= end - start:
                raise UnreadableError("not a readable Arrow stream (it is cut off)")
            if kind in (_DICTIONARY, _RECORDS):
                inner = message.table(_HEAD)
                records = inner.table(_OF_DICTIONARY) if kind == _DICTIONARY else inner
                yield kind, _unpacked(file, start, body, records)
        except ShortError:
            raise UnreadableError("not a readable Arrow stream (a header points outside itself)") from None
        file.seek(start + body)


def _head(file: BinaryIO) -> bytes:
    """The next message's; empty at the end."""
    first = file.read(4)
    length = int.from_bytes(file.read(4) if first == _MARK else first, "little")
    if length > _MOST_HEAD:
        raise UnreadableError("not a readable Arrow stream (a header of an impossible length)")
    return file.read(length)


def _unpacked(file: BinaryIO, start: int, body: int, records: _Table) -> int:
    """Bytes of a batch's buffers; ``start``: where its body of ``body`` bytes begins."""
    if not records.has(_PACKING):
        return body
    total = 0
    for offset, length in records.pairs(_BUFFERS):
        if length >= 8 and 0 <= offset <= body - length:
            file.seek(start + offset)
            size = int.from_bytes(file.read(8), "little", signed=True)
            total += length if size < 0 else size  # -1: not packed
    return total


class _Table:
    """A FlatBuffers table in ``data`` at ``place``. Raises ``struct.error`` where it points outside."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place
        self._fields = place - unpack_from("<i", data, place)[0]
        if self._fields < 0:
            raise ShortError
        self._length = unpack_from("<H", data, self._fields)[0]

    def _at(self, field: int) -> int:
        """Where a field is; 0: it is not there."""
        where = 4 + 2 * field
        offset = unpack_from("<H", self._data, self._fields + where)[0] if where + 2 <= self._length else 0
        return self._place + offset if offset else 0

    def has(self, field: int) -> bool:
        return bool(self._at(field))

    def number(self, field: int, kind: str) -> int:
        place = self._at(field)
        found: int = unpack_from(kind, self._data, place)[0] if place else 0
        return found

    def table(self, field: int) -> _Table:
        return _Table(self._data, self._target(field))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """Of a vector of structs of two whole numbers of 64 bits."""
        place = self._target(field)
        for k in range(unpack_from("<I", self._data, place)[0]):
            yield unpack_from("<qq", self._data, place + 4 + 16 * k)

    def _target(self, field: int) -> int:
        place = self._at(field)
        if not place:
            raise ShortError
        return place + int(unpack_from("<I", self._data, place)[0])
