"""Ends what a process has started and takes away what it has left, as soon as it is gone, however it went.

``python sweeper.py FD PARENT FOLDER`` is a process beside the one it waits for, in a session of its own. It needs the
standard library alone: it must start fast, and be no part of what it ends.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARK = "COOPT_TEMPORARY"
"""Environment variable of whatever a process of coopt has started: its folder for temporary files."""
_SEMAPHORES = Path("/dev/shm")
_PATIENCE = 4.0  # seconds for which it looks for processes that were being started when their parent died


def main() -> None:
    descriptor, parent, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == parent and not select.select([descriptor], [], [], 1.0)[0]:
        pass
    clear(folder)


def clear(folder: str, spared: int | None = None) -> None:
    """Kill the processes that have the mark of ``folder``, but for one, then remove it and its semaphores."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and (left := [pid for pid in marked(folder) if pid != spared]):
        for pid in left:
            kill(pid, folder)
        time.sleep(0.05)
    for semaphore in _SEMAPHORES.glob(f"sem.{Path(folder).name}-*"):
        with suppress(OSError):
            semaphore.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def kill(pid: int, folder: str) -> None:
    """Kill the process that has this number and the mark of ``folder``: not another that has the number by now."""
    with suppress(ProcessLookupError, PermissionError):
        try:
            process = os.pidfd_open(pid)  # whatever has the number from now on, this is one and the same process
        except ProcessLookupError:
            return
        except OSError:  # a kernel without them, or no descriptor left: as near as can be
            if is_marked(pid, folder):
                os.kill(pid, signal.SIGKILL)
            return
        try:
            if is_marked(pid, folder):
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def marked(folder: str) -> Iterator[int]:
    """The processes that have the mark of ``folder``. Without /proc none are found."""
    for place in Path("/proc").glob("[0-9]*"):
        if is_marked(int(place.name), folder):
            yield int(place.name)


def is_marked(pid: int, folder: str) -> bool:
    """Whether a process has the mark of ``folder``."""
    with suppress(OSError):
        return f"{MARK}={folder}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


if __name__ == "__main__":
    main()
