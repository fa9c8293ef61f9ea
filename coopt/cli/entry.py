"""``coopt`` from its first moment on: Ctrl-C is one line, also while Python imports, or tidies up.

An interrupt may come where libraries turn it into an error of their own, or swallow it. What it has become is not told.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

from coopt.cli.stopped import INTERRUPTED, STOPPED


class _Interrupts:
    """Whether there was one."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt

    def swallowed(self, unraisable: Any) -> None:
        if self.came and isinstance(unraisable.exc_value, KeyboardInterrupt):
            _end(INTERRUPTED, STOPPED)
        sys.__unraisablehook__(unraisable)


def main() -> None:
    """Run the command line."""
    interrupts = _Interrupts()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started it wants none
        signal.signal(signal.SIGINT, interrupts)
        sys.unraisablehook = interrupts.swallowed
        # Registered first, called last: then Python gives up its handlers, and what has ended would end otherwise.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        from coopt.cli.main import main as run

        run()
    except SystemExit as end:
        if interrupts.came:
            _end(end.code if isinstance(end.code, int) else 1)
        raise
    except BaseException:
        if interrupts.came:
            _end(INTERRUPTED, STOPPED)
        raise
    if interrupts.came:  # it came at the very end
        _end(0)


def _end(code: int, line: str = "") -> NoReturn:
    """At once: what Python does at its end would be interrupted too, and processes end with this one anyhow."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if line:
        print(line, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
