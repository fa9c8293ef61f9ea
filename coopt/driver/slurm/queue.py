"""What a cluster says of its jobs: their states by id, the ids of a name, and an end to them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import psutil

from coopt.driver.slurm.lease import Holder

LIVE = frozenset(
    "PENDING CONFIGURING RUNNING COMPLETING REQUEUED REQUEUE_HOLD REQUEUE_FED SUSPENDED STOPPED SIGNALING STAGE_OUT"
    " RESIZING".split()
)  # SLURM's words for a job that is still to end
_WORKING = LIVE - {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"}
UNKNOWN = "UNKNOWN"
"""The queue does not know the job: not yet, or no more."""


class QueueAwayError(Exception):
    """The queue does not answer now; its jobs go on."""


class Queue(Protocol):
    """A kind of cluster."""

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        """id -> state in SLURM's words, or ``UNKNOWN``. Raises ``QueueAwayError``."""
        ...

    def find(self, name: str, since: float) -> str | None:
        """The id of the newest job or array of that name, submitted after ``since`` (seconds since the epoch)."""
        ...

    def works(self, holder: Holder) -> bool:
        """Whether the holder of a lease has not ended. If that cannot be known, it has not."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End these jobs."""
        ...


def queue_of(kind: str) -> Queue:
    """The queue of a kind of cluster (``cluster.kind``)."""
    return SlurmQueue() if kind == "slurm" else ProcessQueue()


class SlurmQueue:
    """squeue for what runs or has just ended, sacct (where there is accounting) for what squeue has forgotten."""

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        found = dict.fromkeys(ids, UNKNOWN) | _pairs(_squeue("%i|%T"), ids)
        missing = [i for i, state in found.items() if state == UNKNOWN]
        if missing:
            found |= _pairs(_sacct("JobID,State", "--jobs", ",".join(missing)), missing)
        return found

    def find(self, name: str, since: float) -> str | None:
        start = datetime.fromtimestamp(since) - timedelta(hours=1)  # the clocks of two machines differ
        listed = _squeue("%F", "--name", name) or _sacct(
            "JobID", "--name", name, "--starttime", start.isoformat(timespec="seconds")
        )
        return max((line.split("_")[0] for line in listed), key=int, default=None)

    def works(self, holder: Holder) -> bool:
        try:
            return self.states([holder.id])[holder.id] in _WORKING
        except QueueAwayError:
            return True

    def cancel(self, ids: Sequence[str]) -> None:
        if ids:
            _ask(["scancel", *ids])


def _squeue(fields: str, *arguments: str) -> list[str]:
    """Lines of the user's jobs, one an array element; those that ended minutes ago too."""
    return _ask(["squeue", "--me", "--states=all", "--array", "--noheader", f"--format={fields}", *arguments])


def _sacct(fields: str, *arguments: str) -> list[str]:
    """Lines of allocations; none where there is no accounting."""
    try:
        return _ask(["sacct", "--allocations", "--noheader", "--parsable2", f"--format={fields}", *arguments])
    except QueueAwayError:
        return []


def _pairs(lines: Iterable[str], ids: Sequence[str]) -> dict[str, str]:
    """id -> state; "CANCELLED by 1000" is CANCELLED."""
    wanted = set(ids)
    pairs = (line.split("|", 1) for line in lines)
    return {i: state.split()[0] for i, state in pairs if i in wanted and state}


def _ask(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QueueAwayError(str(error)) from None
    if done.returncode:
        raise QueueAwayError(done.stderr.strip() or f"{command[0]} failed")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


class ProcessQueue:
    """Jobs that are processes of this machine (debug, local); an id is a pid."""

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        """A process that has ended leaves no word of how: FAILED, unless its output is there (``jobs_of`` looks)."""
        return {i: "RUNNING" if _process(i) else "FAILED" for i in ids}

    def find(self, name: str, since: float) -> str | None:
        """Processes have no names: the lease of a job that was not journaled says that it runs."""
        return None

    def works(self, holder: Holder) -> bool:
        """A process of another machine counts as ended: a run with these kinds stays on one machine."""
        process = _process(str(holder.pid)) if holder.host == socket.gethostname() else None
        return process is not None and abs(process.create_time() - holder.born) < 1

    def cancel(self, ids: Sequence[str]) -> None:
        """End submitit's controllers and the tasks that they started."""
        for process in filter(None, map(_process, ids)):
            family = [process, *process.children(recursive=True)]
            for member in family:
                member.kill()


def _process(pid: str) -> psutil.Process | None:
    """The living process of a job; None if it has ended or the pid is somebody else's by now."""
    try:
        process = psutil.Process(int(pid))
        ours = any("submitit" in part for part in process.cmdline())
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, ValueError):
        return None
