"""The rule for every input: accepted and right, or exactly one line of coopt's own error; in bounded time and memory,
and with nothing half-written."""

from __future__ import annotations

import io
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from coopt.cli.main import main
from coopt.core.errors import CooptError
from coopt.core.text import visible

SECONDS = 10
_MEMORY = 1 << 20  # KiB that a case may add to the process


class BrokenError(Exception):
    """The rule does not hold; says how."""


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def refused(read: Callable[[], Any]) -> bool:
    """Call a reader: True if it refuses as it should, False if it accepts (and finds nothing wrong in what it has
    read). Raises ``BrokenError``."""
    err, ends = io.StringIO(), False
    with _bounded(), redirect_stderr(err):
        try:
            read()
        except CooptError as error:
            one_line(f"coopt: {error}\n")
            ends = True
    if err.getvalue():
        raise BrokenError(f"said beside it: {err.getvalue()!r:.300}")
    return ends


def command(*arguments: str) -> Ended:
    """Run ``coopt ARGUMENTS`` in this process. Raises ``BrokenError`` unless it ends as it should."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    code = 0
    sys.argv = ["coopt", *arguments]
    try:
        with _bounded(), redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = argv
    ended = Ended(code, out.getvalue(), err.getvalue())
    if code not in (0, 1, 2):
        raise BrokenError(f"exit code {code}: {ended.err}")
    if code == 2 or (code and ended.err):
        one_line(ended.err)
    for text in (ended.out, ended.err):
        if visible(text) != text:
            raise BrokenError(f"control characters: {text!r:.300}")
    return ended


def one_line(err: str) -> None:
    """Raises ``BrokenError`` unless it is one line that says something and steers nothing."""
    if err.count("\n") != 1 or not err.endswith("\n") or not err.startswith("coopt: ") or len(err) < 15:
        raise BrokenError(f"not one line: {err!r:.500}")
    if visible(err) != err or "Traceback" in err:
        raise BrokenError(f"not visible: {err!r:.500}")


def nothing_half_written(folder: Path) -> None:
    """Raises ``BrokenError`` if temporary files are left."""
    left = [p for p in folder.rglob("*") if p.name.startswith((".new-", ".")) or p.name.endswith(".tmp")]
    if left:
        raise BrokenError(f"left behind: {[str(p) for p in left]}")


class _TooLateError(BaseException):
    pass


@contextmanager
def _bounded() -> Iterator[None]:
    """Ten seconds of the processor and a gigabyte; every other exception is a ``BrokenError``."""

    def late(number: int, frame: FrameType | None) -> None:
        raise _TooLateError

    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    old = [(kind, signal.signal(kind, late)) for kind in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.alarm(10 * SECONDS)  # of the clock: other programs may want the processor
    try:
        yield
    except (CooptError, SystemExit, KeyboardInterrupt, BrokenError):
        raise
    except _TooLateError:
        raise BrokenError(f"not done after {SECONDS} s: {_where()}") from None
    except BaseException:
        raise BrokenError(_where()) from None
    finally:
        # First deaf, for one may be under way: it would end this halfway, or, with the handler before, the process.
        for kind, _ in old:
            signal.signal(kind, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        for kind, handler in old:
            signal.signal(kind, handler)
    if time.process_time() - began > SECONDS:
        raise BrokenError(f"{time.process_time() - began:.0f} s")
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > _MEMORY:
        raise BrokenError("more than a gigabyte")


def _where() -> str:
    """The exception of now, with the last places in coopt and beneath."""
    error = sys.exc_info()[1]
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    own = [f for f in frames if "/coopt/" in f.filename]
    places = [f"{f.filename.rpartition('/coopt/')[2]}:{f.lineno}" for f in own[-4:]]
    last = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {str(error)[:300]!r} at {' < '.join(reversed(places))} ({last})"
