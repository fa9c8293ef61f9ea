"""The append-only journal of a run: what was decided, in order. A restarted run reads it and does not
decide again."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from coopt.core import store
from coopt.core.errors import DamagedError
from coopt.core.outside.files import MOST_OF_A_RUN, UnreadableError, read_bytes
from coopt.core.outside.parse import parse_own
from coopt.core.outside.shapes import ANY, fits
from coopt.core.seals import REPAIR
from coopt.core.shapes.journal import DECISIONS, EVENT, OF_ROUNDS, ROUND_KEY

_SUM = re.compile(r'(\{.*), "sum": "([0-9a-f]{16})"\}', re.DOTALL)


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


class Lines(NamedTuple):
    """What a journal's file says. ``faults``: what is damaged, a line each; ``last``: the checksum of the last line."""

    events: list[dict[str, Any]]
    faults: list[str]
    last: str
    torn: bool
    """The last line is half written, which is what a killed driver leaves."""


class Journal:
    """Events as JSON lines: ``{"event", "key", "time", "value"}``; a key is decided once.

    Every line has its checksum and that of the line before it, so that a changed line and a missing one are noticed.
    ``more``: journals of other runs, read with it as one and never written. ``mending``: damaged lines are left out,
    and gone with the next that is written; else they raise ``DamagedError``.
    """

    def __init__(self, path: Path, *more: Path, mending: bool = False) -> None:
        self.path = path
        own, *others = (read_journal(p) for p in (path, *more))
        if not mending:
            for p, lines in zip((path, *more), (own, *others), strict=True):
                if lines.faults:
                    raise DamagedError(f"{p}: {lines.faults[0]}. {REPAIR}", p)
        self.faults = own.faults
        self._own, self._last, self._spoilt = own.events, own.last, bool(own.faults) or own.torn
        self.events: list[dict[str, Any]] = [e for lines in (own, *others) for e in lines.events]
        self._decided = {(e["event"], e["key"]): e for e in self.events}

    def once(self, event: str, key: str, decide: Callable[[], Any], made_from: str = "") -> Any:
        """The journaled value of (event, key), deciding and writing it if it is not there. ``made_from``: a fingerprint
        of what it is decided from: of another one it is decided again."""
        known = self._decided.get((event, key))
        if known is None or (made_from and known.get("from", made_from) != made_from):
            self._append(event, key, decide(), made_from)
        return self._decided[event, key]["value"]

    def note(self, event: str, value: Any = None) -> None:
        """Write an event that decides nothing (start, resume, end)."""
        self._append(event, "", value)

    def all(self, event: str) -> dict[str, Any]:
        """key -> value of every decision of a kind, in the order of decision."""
        return {key: e["value"] for (name, key), e in self._decided.items() if name == event}

    def _append(self, event: str, key: str, value: Any, made_from: str = "") -> None:
        line = {"event": event, "key": key, "time": round(time.time(), 3), "value": value}
        if made_from:
            line["from"] = made_from
        if self._spoilt:  # a torn last line would spoil the next one
            text, self._last = _written(self._own, "")
            store.write_text(self.path, text)
            self._spoilt = False
        text, self._last = _written([line], self._last)
        store.append_text(self.path, text)
        self._own.append(line)
        self.events.append(line)
        self._decided[event, key] = line


def read_journal(path: Path) -> Lines:
    """The lines of a file that are whole; none if there is no file. A torn last line is left out."""
    try:
        *lines, rest = read_bytes(path, MOST_OF_A_RUN).split(b"\n")
    except FileNotFoundError:
        return Lines([], [], "", False)
    except UnreadableError as error:
        return Lines([], [f"it is damaged: {error}"], "", False)
    found = [_parsed(line.decode(errors="replace")) for line in lines]
    first = next((k for k, line in enumerate(found) if line and line.sum), len(found))
    # Lines of an earlier coopt have no checksum; none of them follows one that has.
    plain = first if first == len(found) or not found[first].before else first - 1  # type: ignore[union-attr]
    # One without a line before it begins a journal: several may lie in one file, one after another.
    kept: list[_Line] = []
    faults, last = [], ""
    for number, line in enumerate(found, start=1):
        if line is None or (not line.sum and number > plain):
            faults.append(f"line {number} is not what was written")
            continue
        if line.before not in ("", last) and not (faults and faults[-1].startswith(f"line {number - 1} ")):
            faults.append(f"lines before line {number} are missing")
        last = line.sum
        kept.append(line)
    return Lines([line.event for line in kept], faults, last, bool(rest))


class _Line(NamedTuple):
    event: dict[str, Any]
    sum: str
    before: str


def _parsed(text: str) -> _Line | None:
    """None of what was not written by a journal."""
    sealed = _SUM.fullmatch(text)
    body, found = (f"{sealed[1]}}}", sealed[2]) if sealed else (text, "")
    if sealed and found != _sum(body):
        return None
    try:
        event = parse_own(body)
        before = event.pop("before", "")
        if not isinstance(before, str) or not isinstance(fits(event, EVENT), dict):
            return None
        kind = event["event"]
        fits(event["value"], DECISIONS.get(kind, ANY))
        if kind in OF_ROUNDS:
            fits(event["key"], ROUND_KEY)
        return _Line(event, found, before)
    except (ValueError, AttributeError, TypeError):
        return None


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _written(events: Iterable[dict[str, Any]], last: str) -> tuple[str, str]:
    """Lines for the file, and the checksum of the last one."""
    lines = []
    for event in events:
        body = json.dumps({"before": last, **event}, allow_nan=False, sort_keys=True)
        last = _sum(body)
        lines.append(f'{body[:-1]}, "sum": "{last}"}}\n')
    return "".join(lines), last
