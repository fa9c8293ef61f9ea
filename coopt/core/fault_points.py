"""Named points at which a test can have the whole process group killed (``COOPT_KILL_AT=name`` or ``name:3``).

The crash tests need a kill in the middle of a checkpoint write or between gate and phase; polling files
from outside would only hit these by luck.
"""

from __future__ import annotations

import os
import signal

_reached: dict[str, int] = {}


def fault_point(name: str) -> None:
    """Kill the process group with SIGKILL if the environment says so; otherwise do nothing."""
    wanted, _, count = os.environ.get("COOPT_KILL_AT", "").partition(":")
    if wanted != name:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(count or 1):
        os.killpg(0, signal.SIGKILL)
