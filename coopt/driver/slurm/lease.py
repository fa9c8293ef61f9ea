"""Who works on a task: the newest of its numbered lease files says. So no task is performed by two jobs at once.

A number can be created once, atomically and with its content. A job that finds the newest holder ended creates the
next number; of two that try, one succeeds. Nothing is ever removed: the files are also the history of a task's starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from coopt.core import store
from coopt.core.shapes.jobs import HOLDER


@dataclass(frozen=True)
class Holder:
    """A job that has started on a task."""

    kind: str
    """The kind of cluster (``cluster.kind``)."""
    id: str
    """The cluster's job id; a requeued job keeps it."""
    host: str
    pid: int
    born: float
    """When the process began (seconds since the epoch): a pid may be used again."""
    time: float
    """When the lease was taken."""


def take(folder: Path, me: Holder, alive: Callable[[Holder], bool]) -> Holder:
    """The holder of the task whose leases lie in ``folder``: ``me``, or another one that is alive.

    A requeued job, and every rank of a job, has the id of the holder and goes on as it.
    """
    while True:
        number, holder = newest(folder)
        if holder is not None and (holder.kind, holder.id) == (me.kind, me.id):
            return me
        if holder is not None and alive(holder):
            return holder
        if store.create_json(folder / f"{number + 1:04d}.json", asdict(me)):
            return me


def newest(folder: Path) -> tuple[int, Holder | None]:
    """The newest lease and its number; 0 and None if the task was never started."""
    files = sorted(p for p in folder.glob("*.json") if p.stem.isdecimal())
    return (int(files[-1].stem), Holder(**store.read_json(files[-1], HOLDER))) if files else (0, None)
