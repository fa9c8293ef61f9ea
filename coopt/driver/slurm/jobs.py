"""The jobs of a run, as its folder ``jobs`` has them: what was submitted, under which name and ids, and its state.
A job holds one task or several, and stands here once for each.

batches/<number>.json   one submission (an array, or one job): written before it is sent, completed with the ids
leases/<task>/          who works on a task (``coopt.driver.slurm.lease``)
errors/<task>.json      how a job of the task failed
logs/                   submitit's files
seen.jsonl              when the driver saw an output
cancelled               there while the run's jobs are to end (``coopt cancel``)
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coopt.core import store
from coopt.core.shapes.jobs import JOB_ERROR
from coopt.driver.slurm.batches import Batches, by_job
from coopt.driver.slurm.lease import Holder, newest
from coopt.driver.slurm.queue import LIVE, UNKNOWN, WORKING, QueueAwayError, queue_of, unanswered
from coopt.driver.tasks.task import is_output, slug


@dataclass(frozen=True)
class Job:
    """One task of a job of a run."""

    name: str
    """The job's name in the queue; the jobs of an array share one."""
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
    tasks: tuple[str, ...]
    """The labels of all tasks of the job, in the order in which it performs them."""

    @property
    def live(self) -> bool:
        """It waits or runs, and the task is not done."""
        return self.state in LIVE

    @property
    def works(self) -> bool:
        """It runs, and does not wait for its turn."""
        return self.state in WORKING


def jobs_of(directory: Path) -> list[Job]:
    """Every job that the run submitted, oldest first, with its state now; if a queue does not answer, COMPLETED where
    the output is there, else UNKNOWN."""
    return jobs_and_silence(directory)[0]


def jobs_and_silence(directory: Path) -> tuple[list[Job], str]:
    """``jobs_of``, and why it is not known what has become of some of them; empty if it is."""
    jobs = submitted(directory)
    try:
        told, why = with_states(jobs), unanswered()
    except QueueAwayError as error:
        told, why = _told(jobs, {}), str(error)
    last = {job.task: job for job in told}.values()
    return told, why if any(job.state == UNKNOWN for job in last) else ""


def submitted(directory: Path) -> list[Job]:
    """Every job of the run as it was submitted, without a look at its queue: all UNKNOWN."""
    jobs: list[Job] = []
    for batch in Batches(directory).all():
        for place, entries in enumerate(by_job(batch)):
            id_ = batch["ids"][place] if batch["ids"] else ""
            log = directory / "jobs" / "logs" / f"{id_}_0_log.err"
            tasks = tuple(entry["task"] for entry in entries)
            for entry in entries:
                what, told = (entry["task"], entry["attempt"], batch["kind"], id_), directory / entry["output"]
                jobs.append(Job(batch["name"], *what, UNKNOWN, log, told, batch["time"], tasks))
    return jobs


def with_states(jobs: Sequence[Job]) -> list[Job]:
    """The same jobs with their states now. Raises ``QueueAwayError``.

    The last job of a task that has its output is COMPLETED, also when its queue has forgotten it; and while the job is
    at its next task.
    """
    states: dict[tuple[str, str], str] = {}
    for kind in {job.kind for job in jobs}:
        ids = [job.id for job in jobs if job.kind == kind and job.id]
        states |= {(kind, id_): state for id_, state in queue_of(kind, _run_of(jobs)).states(ids).items()}
    return _told(jobs, states)


def _run_of(jobs: Sequence[Job]) -> Path:
    """The run whose jobs these are."""
    return jobs[0].log.parents[2]


def _told(jobs: Sequence[Job], states: Mapping[tuple[str, str], str]) -> list[Job]:
    last = {job.task: job for job in jobs}
    found: list[Job] = []
    for job in jobs:
        state = states.get((job.kind, job.id), UNKNOWN)
        if (state not in LIVE or len(job.tasks) > 1) and last[job.task] is job and is_output(job.output):
            state = "COMPLETED"
        found.append(replace(job, state=state))
    return found


def cancel(directory: Path) -> list[Job]:
    """End every live job of the run, and its driver at its next look; returns them. Raises ``QueueAwayError``."""
    batches = Batches(directory)
    store.write_json(batches.cancelled, {"time": time.time()})
    for batch in batches.all():
        if batch["ids"] is None:  # its driver has not heard of them
            batches.adopt(batch)
    live = [job for job in with_states(submitted(directory)) if job.live]
    for kind in {job.kind for job in live}:
        queue_of(kind, directory).cancel(list(dict.fromkeys(job.id for job in live if job.kind == kind)))
    return live


def is_cancelled(directory: Path) -> bool:
    """Whether the run's jobs, and its driver, are to end."""
    return Batches(directory).cancelled.is_file()


def forget_cancel(directory: Path, began: float) -> None:
    """A driver that was asked for at ``began`` (seconds since the epoch) does not mind what was cancelled before."""
    mark = Batches(directory).cancelled
    told = store.read_or(mark, {})
    if not isinstance(told, dict) or told.get("time", 0.0) < began:
        mark.unlink(missing_ok=True)


def works_on(directory: Path, task: str) -> Holder | None:
    """The job that performs this task now, if one does."""
    _, holder = newest(leases(directory, task))
    return holder if holder is not None and queue_of(holder.kind, directory).works(holder) else None


def has_begun(directory: Path, task: str, job: Job) -> bool:
    """Whether this job was the last to begin the task."""
    _, holder = newest(leases(directory, task))
    return holder is not None and (holder.kind, holder.id) == (job.kind, job.id)


def leases(directory: Path, task: str) -> Path:
    """The folder of a task's leases."""
    return directory / "jobs" / "leases" / slug(task)


def error_path(directory: Path, task: str) -> Path:
    """How the task's last job failed: `id`, `error`, `fault`, `final`."""
    return directory / "jobs" / "errors" / f"{slug(task)}.json"


def error_of(directory: Path, task: str, id_: str) -> dict[str, object] | None:
    """How the job ``id_`` of a task failed, if it could say so itself."""
    path = error_path(directory, task)
    record: dict[str, object] | None = store.read_json(path, JOB_ERROR) if path.is_file() else None
    return record if record and record["id"] == id_ else None
