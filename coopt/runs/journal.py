"""The append-only journal of a run: what was decided, in order. A restarted run reads it and does not
decide again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core import store


def round_key(seed: int, method: str, round_: int) -> str:
    """The key of what is decided once for a method's round."""
    return f"{seed}/{method}/r{round_}"


class RoundKey(NamedTuple):
    """``round_key`` read back. ``rest``: what a longer key says after it (an edge)."""

    seed: int
    method: str
    round: int
    rest: str = ""

    @classmethod
    def parse(cls, key: str) -> RoundKey:
        seed, method, round_, *rest = key.split("/", 3)
        return cls(int(seed), method, int(round_.removeprefix("r")), *rest)


class Journal:
    """Events as JSON lines: ``{"event", "key", "time", "value"}``; a key is decided once.

    ``more``: journals of other runs, read with it as one and never written.
    """

    def __init__(self, path: Path, *more: Path) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = [e for p in (path, *more) for e in store.read_lines(p)]
        self._decided = {(e["event"], e["key"]): e["value"] for e in self.events}

    def once(self, event: str, key: str, decide: Callable[[], Any]) -> Any:
        """The journaled value of (event, key), deciding and writing it if it is not there."""
        if (event, key) not in self._decided:
            value = decide()
            self._append(event, key, value)
            self._decided[event, key] = value
        return self._decided[event, key]

    def note(self, event: str, value: Any = None) -> None:
        """Write an event that decides nothing (start, resume, end)."""
        self._append(event, "", value)

    def all(self, event: str) -> dict[str, Any]:
        """key -> value of every decision of a kind, in the order of decision."""
        return {key: value for (name, key), value in self._decided.items() if name == event}

    def _append(self, event: str, key: str, value: Any) -> None:
        line = {"event": event, "key": key, "time": round(time.time(), 3), "value": value}
        if self.path.is_file() and not self.path.read_bytes().endswith(b"\n"):
            store.rewrite_lines(self.path, store.read_lines(self.path))  # a torn last line would spoil the next one
        store.append_lines(self.path, [line])
        self.events.append(line)
