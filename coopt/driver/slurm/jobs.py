"""The jobs of a run, as its folder ``jobs`` has them: what was submitted, under which name and ids, and its state.

batches/<number>.json   one submission (an array, or one job): written before it is sent, completed with the ids
leases/<task>/          who works on a task (``coopt.driver.slurm.lease``)
errors/<task>.json      how a job of the task failed
logs/                   submitit's files
seen.jsonl              when the driver saw an output
cancelled               there while the run's jobs are to end (``coopt cancel``)
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from coopt.core import store
from coopt.driver.slurm.lease import Holder, newest
from coopt.driver.slurm.queue import LIVE, UNKNOWN, QueueAwayError, queue_of
from coopt.driver.tasks.task import is_output, slug


@dataclass(frozen=True)
class Job:
    """One job of a run."""

    name: str
    """Its name in the queue; the jobs of an array share one."""
    task: str
    """The task's label, for example `seed 0 opcod round 1 s1`."""
    attempt: int
    kind: str
    id: str
    """The cluster's id; empty while the driver has not heard it."""
    state: str
    """SLURM's word (PENDING, RUNNING, COMPLETED, FAILED, TIMEOUT, CANCELLED, ...), or UNKNOWN."""
    log: Path
    """What the job wrote to its standard error; its standard output lies beside it, as `.out`."""
    output: Path
    """What the task leaves when it is done."""
    submitted: float
    """Seconds since the epoch."""

    @property
    def live(self) -> bool:
        """It waits or runs."""
        return self.state in LIVE


def jobs_of(directory: Path) -> list[Job]:
    """Every job that the run submitted, oldest first, with its state now; if a queue does not answer, COMPLETED where
    the output is there, else UNKNOWN."""
    jobs = submitted(directory)
    try:
        return with_states(jobs)
    except QueueAwayError:
        return _told(jobs, {})


def submitted(directory: Path) -> list[Job]:
    """Every job of the run as it was submitted, without a look at its queue: all UNKNOWN."""
    jobs: list[Job] = []
    for batch in Batches(directory).all():
        ids = batch["ids"] or [""] * len(batch["tasks"])
        for id_, entry in zip(ids, batch["tasks"], strict=True):
            log, output = directory / "jobs" / "logs" / f"{id_}_0_log.err", directory / entry["output"]
            name, kind, attempt = batch["name"], batch["kind"], entry["attempt"]
            jobs.append(Job(name, entry["task"], attempt, kind, id_, UNKNOWN, log, output, batch["time"]))
    return jobs


def with_states(jobs: Sequence[Job]) -> list[Job]:
    """The same jobs with their states now. Raises ``QueueAwayError``.

    The last job of a task that has its output is COMPLETED, also when its queue has forgotten it.
    """
    states: dict[tuple[str, str], str] = {}
    for kind in {job.kind for job in jobs}:
        ids = [job.id for job in jobs if job.kind == kind and job.id]
        states |= {(kind, id_): state for id_, state in queue_of(kind).states(ids).items()}
    return _told(jobs, states)


def _told(jobs: Sequence[Job], states: Mapping[tuple[str, str], str]) -> list[Job]:
    last = {job.task: job for job in jobs}
    found: list[Job] = []
    for job in jobs:
        state = states.get((job.kind, job.id), UNKNOWN)
        if state not in LIVE and last[job.task] is job and is_output(job.output):
            state = "COMPLETED"
        found.append(replace(job, state=state))
    return found


def cancel(directory: Path) -> list[Job]:
    """End every live job of the run, and its driver at its next look; returns them. Raises ``QueueAwayError``."""
    (directory / "jobs").mkdir(exist_ok=True)
    Batches(directory).cancelled.touch()
    live = [job for job in with_states(submitted(directory)) if job.live]
    for kind in {job.kind for job in live}:
        queue_of(kind).cancel([job.id for job in live if job.kind == kind])
    return live


def works_on(directory: Path, task: str) -> Holder | None:
    """The job that performs this task now, if one does."""
    _, holder = newest(leases(directory, task))
    return holder if holder is not None and queue_of(holder.kind).works(holder) else None


def leases(directory: Path, task: str) -> Path:
    """The folder of a task's leases."""
    return directory / "jobs" / "leases" / slug(task)


def error_path(directory: Path, task: str) -> Path:
    """How the task's last job failed: `id`, `error`, `fault`, `final`."""
    return directory / "jobs" / "errors" / f"{slug(task)}.json"


class Batches:
    """The submissions of a run. Only its driver writes them."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / "jobs" / "batches"
        self.cancelled = directory / "jobs" / "cancelled"
        self.seen = directory / "jobs" / "seen.jsonl"
        self.run = _run_name(directory)

    def all(self) -> list[dict[str, Any]]:
        """name, kind, time, tasks (`task`, `attempt`, `output`), ids (None until they are known) and number."""
        return [store.read_json(p) | {"number": int(p.stem)} for p in sorted(self.folder.glob("*.json"))]

    def open(self, kind: str, tasks: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Write down what is about to be submitted: (label, output under the run) of each task.

        The name is the run, the tasks (an array: what their labels share) and the attempt; the token tells it from a
        deleted run's of the same name.
        """
        before = self.all()
        attempts = [1 + _attempts(before, task) for task, _ in tasks]
        entries = [{"task": t, "attempt": n, "output": output} for (t, output), n in zip(tasks, attempts, strict=True)]
        name = f"coopt.{self.run}.{_shared([t for t, _ in tasks])}.a{max(attempts)}.{token_hex(3)}"
        batch = {"name": name, "kind": kind, "time": time.time(), "tasks": entries, "ids": None}
        number = 1 + max((b["number"] for b in before), default=0)
        store.write_json(self.folder / f"{number:04d}.json", batch)
        return batch | {"number": number}

    def close(self, batch: dict[str, Any], ids: Sequence[str] | None) -> None:
        """Write down the ids of what was submitted; None: nothing was."""
        path = self.folder / f"{batch['number']:04d}.json"
        if ids is None:
            path.unlink()
        else:
            store.write_json(path, {k: v for k, v in batch.items() if k != "number"} | {"ids": list(ids)})


def _run_name(directory: Path) -> str:
    """How the names of jobs call a run: as its folder, and a sweep's (``SUITE/ARM/seed-K``) with its suite and arm."""
    parts = directory.resolve().parts
    return ".".join(parts[-3:] if re.fullmatch(r"seed-\d+", parts[-1]) else parts[-1:])


def _attempts(batches: Iterable[dict[str, Any]], task: str) -> int:
    return sum(entry["task"] == task for batch in batches for entry in batch["tasks"])


def _shared(labels: Sequence[str]) -> str:
    """The words that all labels begin with."""
    shared: list[str] = []
    for words in zip(*(label.split() for label in labels), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return slug(" ".join(shared)) or "tasks"
