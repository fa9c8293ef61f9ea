"""How far a task is: written by the task, read by whoever shows progress, wherever it runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import NamedTuple

_EVERY = 0.2  # seconds between two writes


class Reading(NamedTuple):
    """Share done in [0, 1], and tokens generated or trained on so far."""

    share: float = 0.0
    tokens: int = 0


class Meter:
    """Counts units and tokens of one task into a small file."""

    def __init__(self, path: Path | None, units: int) -> None:
        self.path = path
        self.units = max(1, units)
        self.done = 0
        self.tokens = 0
        self._written = 0.0

    def add(self, units: int = 0, tokens: int = 0) -> None:
        self.done += units
        self.tokens += tokens
        now = time.monotonic()
        if self.path is not None and now - self._written >= _EVERY:
            self._written = now
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps([self.done / self.units, self.tokens]))
            os.replace(temporary, self.path)


def read_meter(path: Path) -> Reading:
    """The last reading of a task; nothing yet if it has not begun."""
    try:
        share, tokens = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return Reading()
    return Reading(min(1.0, float(share)), int(tokens))
