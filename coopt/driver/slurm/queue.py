"""What a cluster says of its jobs: their states by id, the ids of a name, and an end to them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import psutil

from coopt.driver.slurm.lease import Holder

LIVE = frozenset(
    "PENDING CONFIGURING RUNNING COMPLETING REQUEUED REQUEUE_HOLD REQUEUE_FED SUSPENDED STOPPED SIGNALING STAGE_OUT"
    " RESIZING".split()
)  # SLURM's words for a job that is still to end
WORKING = LIVE - {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED"}
_ARRAY = 1001  # SLURM's MaxArraySize, unless a site says otherwise
UNCONFIGURED = re.compile(r"configuration source|fetch config|dns srv", re.IGNORECASE)
"""What SLURM's programs say where nothing tells them of a cluster."""
_PATIENCE = 60.0  # seconds that a program of SLURM gets for its answer
_GLANCE = 2.0  # seconds that it gets from a command that only shows a run
UNKNOWN = "UNKNOWN"
"""The queue does not know the job: not yet, or no more."""


class QueueAwayError(Exception):
    """The queue does not answer now; its jobs go on."""


_silent: ContextVar[dict[str, str] | None] = ContextVar("silent", default=None)
"""While a command only shows runs: the programs that have not answered it, and what to say of that."""


@contextmanager
def glancing() -> Iterator[None]:
    """For commands that only show runs: SLURM's programs get two seconds instead of a minute, and one that has not
    answered is not asked again. Within another one it adds nothing."""
    before = _silent.get()
    token = _silent.set({} if before is None else before)
    try:
        yield
    finally:
        _silent.reset(token)


class Queue(Protocol):
    """A kind of cluster."""

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        """id -> state in SLURM's words, or ``UNKNOWN``. Raises ``QueueAwayError``."""
        ...

    def find(self, name: str, since: float) -> str | None:
        """The id of the newest job or array of that name, submitted after ``since`` (seconds since the epoch)."""
        ...

    def works(self, holder: Holder, *, sure: bool = False) -> bool:
        """Whether the holder of a lease has not ended. If that cannot be known, it has not; ``sure``: then it raises
        ``QueueAwayError``."""
        ...

    def cancel(self, ids: Sequence[str]) -> None:
        """End these jobs. Raises ``QueueAwayError``."""
        ...

    def longest(self) -> int:
        """The most jobs that one submission may have."""
        ...


def queue_of(kind: str, directory: Path) -> Queue:
    """The queue of a kind of cluster (``cluster.kind``), for the jobs of a run."""
    return SlurmQueue() if kind == "slurm" else ProcessQueue(directory)


def unanswered() -> str:
    """Which programs have not answered in this look, of those without which a state is only unknown; empty: all did."""
    return "; ".join((_silent.get() or {}).values())


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

    def works(self, holder: Holder, *, sure: bool = False) -> bool:
        try:
            return self.states([holder.id])[holder.id] in WORKING
        except QueueAwayError:
            if sure:
                raise
            return True

    def cancel(self, ids: Sequence[str]) -> None:
        if ids:
            _ask(["scancel", *ids])

    def longest(self) -> int:
        """The site's ``MaxArraySize``; where it is not told, what SLURM takes by itself."""
        with suppress(QueueAwayError):
            for line in _ask(["scontrol", "show", "config"]):
                name, _, value = line.partition("=")
                if name.strip() == "MaxArraySize" and value.strip().isdigit():
                    return max(1, int(value))
        return _ARRAY


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
    silent, program = _silent.get(), command[0]
    if silent and program in silent:
        raise QueueAwayError(silent[program])
    patience = _PATIENCE if silent is None else _GLANCE
    try:
        return _answer(command, patience)
    except subprocess.TimeoutExpired:
        why = f"{program} did not answer in {patience:.0f} s"
        if silent is not None:
            silent[program] = why
        raise QueueAwayError(why) from None
    except FileNotFoundError:
        raise QueueAwayError(f"{program} is not on this machine") from None
    except OSError as error:
        raise QueueAwayError(str(error)) from None


def _answer(command: list[str], patience: float) -> list[str]:
    """The lines that a program prints. Raises ``QueueAwayError``, and as ``ended``."""
    done = ended(command, patience)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        hint = "; ask on a login node, or set SLURM_CONF" if UNCONFIGURED.search(done.stderr) else ""
        raise QueueAwayError((lines[-1] if lines else f"{command[0]} failed") + hint)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def ended(command: list[str], patience: float) -> subprocess.CompletedProcess[str]:
    """A program of SLURM that has ended by itself. One that does not is killed with what it has started, because at
    many sites these programs are scripts around SLURM's own. Raises ``OSError``, ``TimeoutExpired``."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=patience)
    except BaseException:
        _kill_group(process)
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, said)


def _kill_group(process: subprocess.Popen[str]) -> None:
    if process.returncode is None:  # not waited for, perhaps a zombie: the number is still its own
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):  # a file system that is away keeps it
            process.wait(0.5)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


class ProcessQueue:
    """Jobs that are processes of this machine (debug, local); an id is a pid, which may be another process's by now:
    also one of another run's jobs. Those of a run have its folder in their command."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    def states(self, ids: Sequence[str]) -> dict[str, str]:
        """A process that has ended leaves no word of how: FAILED, unless its output is there (``jobs_of`` looks)."""
        return {i: "RUNNING" if self._process(i) else "FAILED" for i in ids}

    def find(self, name: str, since: float) -> str | None:
        """Processes have no names: the lease of a job that was not journaled says that it runs."""
        return None

    def works(self, holder: Holder, *, sure: bool = False) -> bool:
        """A process of another machine counts as ended: a run with these kinds stays on one machine."""
        process = self._process(str(holder.pid)) if holder.host == socket.gethostname() else None
        return process is not None and abs(process.create_time() - holder.born) < 1

    def longest(self) -> int:
        return _ARRAY

    def cancel(self, ids: Sequence[str]) -> None:
        """End submitit's controllers and the tasks that they started."""
        for process in filter(None, map(self._process, ids)):
            family = [process, *process.children(recursive=True)]
            for member in family:
                member.kill()

    def _process(self, pid: str) -> psutil.Process | None:
        """The living process of a job; None if it has ended or the pid is somebody else's by now. psutil sends no
        signal to another process than the one that it has looked at."""
        try:
            process = psutil.Process(int(pid))
            words = process.cmdline()
            ours = any("submitit" in part for part in words) and any(self.directory in Path(w).parents for w in words)
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.Error, ValueError):
            return None
