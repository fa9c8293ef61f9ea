"""Thrift's compact protocol, read: what the heads of Parquet are written in."""

from __future__ import annotations

from typing import Any

Struct = dict[int, Any]
"""Field -> a truth, a whole number, bytes (of a text; of a number with a point they are left as they are), a list, or
another struct."""
_TRUE, _FALSE, _BYTE, _DOUBLE, _BYTES, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
_DEEPEST = 16


class NoThriftError(ValueError):
    """Bytes that are none."""


def read_struct(data: bytes) -> tuple[Struct, int]:
    """The struct with which bytes begin, and its length. Raises ``IndexError`` where it goes on behind them, and
    ``NoThriftError``."""
    reader = _Reader(data)
    return reader.struct(_DEEPEST), reader.place


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0

    def struct(self, depth: int) -> Struct:
        fields: Struct = {}
        field = 0
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._whole()
            kind = head & 15
            fields[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _WHOLE:
            return self._whole()
        if kind == _BYTES:
            return self._bytes(self._number())
        if kind in (_BYTE, _DOUBLE):
            return self._bytes(1 if kind == _BYTE else 8)
        if kind in (_TRUE, _FALSE):  # in a list; a field's stands in its head
            return self._byte() == _TRUE
        if kind in (_LIST, _SET, _STRUCT) and depth:
            return self.struct(depth - 1) if kind == _STRUCT else self._list(depth - 1)
        raise NoThriftError

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._number()
        return [self._value(head & 15, depth) for _ in range(size)]

    def _byte(self) -> int:
        found = self._data[self.place]
        self.place += 1
        return found

    def _bytes(self, count: int) -> bytes:
        start = self.place
        self.place += count
        if self.place > len(self._data):
            raise IndexError
        return self._data[start : self.place]

    def _number(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
        raise NoThriftError

    def _whole(self) -> int:
        found = self._number()
        return (found >> 1) ^ -(found & 1)
