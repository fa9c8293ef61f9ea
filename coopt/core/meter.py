"""How far a task is: written by the task, read by whoever shows progress, wherever it runs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import NamedTuple

from coopt.core import store

_EVERY = 0.2  # seconds between two writes


class Reading(NamedTuple):
    """Share done in [0, 1], tokens generated or trained on so far, and the seconds that it took."""

    share: float = 0.0
    tokens: int = 0
    seconds: float = 0.0


class Meter:
    """Counts units and tokens of one task into a small file."""

    def __init__(self, path: Path | None, units: int) -> None:
        self.path = path
        self.units = max(1, units)
        self.done = 0
        self.tokens = 0
        self._began = time.monotonic()
        self._written = 0.0

    def add(self, units: int = 0, tokens: int = 0) -> None:
        self.done += units
        self.tokens += tokens
        now = time.monotonic()
        if self.path is not None and now - self._written >= _EVERY:
            self._written = now
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps([self.done / self.units, self.tokens, round(now - self._began, 2)]))
            os.replace(temporary, self.path)


def read_meter(path: Path) -> Reading:
    """The last reading of a task; nothing yet if it has not begun."""
    try:
        share, tokens, seconds = store.read_json(path)
        return Reading(min(1.0, float(share)), int(tokens), float(seconds))
    except (FileNotFoundError, ValueError, TypeError, OverflowError):
        return Reading()


def error_path(meter: Path) -> Path:
    """Where the error of a failed task stands, beside its meter."""
    return meter.with_suffix(".error")


def note_error(meter: Path, error: Exception) -> None:
    """Leave a task's error in one line. A disk that is full must not hide what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    with contextlib.suppress(OSError):
        store.write_text(error_path(meter), (lines[-1] if lines else type(error).__name__) + "\n")
