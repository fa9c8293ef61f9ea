"""Perform tasks as jobs of a cluster: find those that run, submit the rest, wait, try again, stop with what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.config.cluster import ClusterConfig
from coopt.core.errors import DamagedError, RunError
from coopt.core.fault_points import fault_point
from coopt.core.meter import read_meter
from coopt.driver.slurm.executors import mend, submit
from coopt.driver.slurm.jobs import Batches, Job, submitted, with_states, works_on
from coopt.driver.slurm.queue import UNKNOWN, QueueAwayError, queue_of
from coopt.driver.slurm.work import Work, error_of
from coopt.driver.tasks.launch import worker_threads
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task, Train, is_done, meter_path
from coopt.runs.run import Run

_LOOK = 0.5  # seconds between two looks at outputs and meters
_LATE = 60.0  # seconds until a job that no queue knows, or that has completed, counts as ended without its output
_PATIENCE = 600.0  # seconds to wait for a queue that does not answer
_LAST_LINES = 12
_NOT_ITS_FAULT = ("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED")  # ends that count as no try


class SubmititLauncher:
    """Performs tasks that are not done yet as jobs. Use as a context manager, like ``tasks.launch.Launcher``.

    Everything it knows is on disk and in the queue: killed at any moment, another one goes on. Jobs outlive it.
    """

    def __init__(self, run: Run, workers: int, display: Display) -> None:
        self.run = Run(run.directory.resolve(), run.config)
        self.cluster: ClusterConfig = run.config.cluster
        self.workers = workers
        self.display = display
        self.batches = Batches(self.run.directory)
        self.failures: Counter[str] = Counter()
        self._known: set[str] = set()  # ids that this driver submitted or saw alive
        self._unsure: dict[str, float] = {}  # ids that seem to have ended without output, and since when
        self._answered = time.monotonic()

    def __enter__(self) -> SubmititLauncher:
        self.batches.cancelled.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Jobs go on without their driver."""

    def __call__(self, tasks: Sequence[Task]) -> None:
        """Perform the tasks and return when all outputs are there. Raises ``RunError`` if one cannot be performed."""
        waiting: dict[str, Task] = {}
        for task in tasks:
            if is_done(task, self.run):
                self.display.finish(task, already=True)
            else:
                waiting[task.label()] = task
        if waiting:
            self._adopt(waiting)
        while waiting:
            live = self._live(waiting)
            if live is not None:
                self._submit([t for label, t in waiting.items() if label not in live], len(live))
            self._wait(waiting)

    def _adopt(self, waiting: dict[str, Task]) -> None:
        """Find by name the jobs whose submission was killed before their ids were written down."""
        for batch in self.batches.all():
            if batch["ids"] is not None:
                continue
            try:
                first = queue_of(batch["kind"]).find(batch["name"], batch["time"])
            except QueueAwayError as error:
                raise RunError(
                    f"the queue does not answer ({error}), and it must say what became of the jobs {batch['name']}. Run"
                    " the same command again when it does."
                ) from None
            if first is None:
                self.batches.close(batch, None)  # they were not submitted
                continue
            n = len(batch["tasks"])
            ids = [first] if n == 1 else [f"{first}_{k}" for k in range(n)]
            for id_, entry in zip(ids, batch["tasks"], strict=True):
                if entry["task"] in waiting:
                    mend(self._logs, id_, self._work(waiting[entry["task"]]), self.cluster)
            self.batches.close(batch, ids)

    def _live(self, waiting: dict[str, Task]) -> set[str] | None:
        """Labels of the waiting tasks that a job waits or works for; None if the queue does not answer now."""
        last = {job.task: job for job in submitted(self.run.directory) if job.task in waiting}
        try:
            jobs = with_states(list(last.values()))
        except QueueAwayError as error:
            if time.monotonic() - self._answered > _PATIENCE:
                raise RunError(
                    f"the queue has not answered for {_PATIENCE / 60:.0f} minutes ({error}). The jobs go on: run the"
                    " same command again when it does."
                ) from None
            return None
        self._answered = time.monotonic()
        return {job.task for job in jobs if self._lives(job, waiting[job.task])}

    def _lives(self, job: Job, task: Task) -> bool:
        if job.live or is_done(task, self.run) or works_on(self.run.directory, job.task):
            self._known.add(job.id)
            self._unsure.pop(job.id, None)
            return True
        if job.state in (UNKNOWN, "COMPLETED"):  # accounting, or the sight of a shared file system, may be late
            since = self._unsure.setdefault(job.id, time.monotonic())
            if time.monotonic() - since < _LATE:
                return True
        if job.id in self._known:  # what ended before this driver began is no failure that it has seen
            self._known.remove(job.id)
            self._count(job)
        return False

    def _count(self, job: Job) -> None:
        """A job ended without its output: note it, and stop the run if that was the task's last try."""
        if job.state in _NOT_ITS_FAULT:
            return
        self.failures[job.task] += 1
        error = error_of(self.run.directory, job.task, job.id)
        if error and error.get("damaged"):  # the driver mends it and comes again
            raise DamagedError(str(error["error"]), Path(str(error["damaged"])))
        if job.state == "CANCELLED" or self.failures[job.task] >= self.cluster.attempts or (error and error["final"]):
            raise RunError(last_words(job, error, self.failures[job.task]))

    def _submit(self, tasks: Sequence[Task], live: int) -> None:
        room = {"slurm": len(tasks), "debug": 1}.get(self.cluster.kind, self.workers - live)
        for _, group in groupby(tasks[: max(0, room)], key=self._ranks):
            works = [self._work(task) for task in group]
            outputs = [w.task.output(self.run).relative_to(self.run.directory) for w in works]
            labels = [w.task.label() for w in works]
            batch = self.batches.open(self.cluster.kind, list(zip(labels, map(str, outputs), strict=True)))
            try:
                ids = submit(self.cluster, self._logs, batch["name"], works)
            except RunError:
                self.batches.close(batch, None)
                raise
            fault_point("submitted")
            self.batches.close(batch, ids)
            self._known.update(ids)

    def _wait(self, waiting: dict[str, Task]) -> None:
        """Watch outputs and meters until it is time to ask the queue, or room for another job."""
        until = time.monotonic() + self.cluster.poll_seconds
        while waiting:
            if self.batches.cancelled.exists():
                raise RunError("the run was cancelled. Nothing finished is lost: the same command goes on.")
            finished = [t for t in waiting.values() if is_done(t, self.run)]
            for task in finished:
                del waiting[task.label()]
                store.append_lines(self.batches.seen, [{"task": task.label(), "time": time.time()}])
                self.display.finish(task, reading=read_meter(meter_path(task, self.run)))
            self.display.update({t: read_meter(meter_path(t, self.run)) for t in waiting.values()})
            if time.monotonic() >= until or self.cluster.kind == "debug" or (finished and self.cluster.kind == "local"):
                return
            time.sleep(_LOOK)

    def _ranks(self, task: Task) -> int:
        here = self.cluster.kind == "debug"  # the driver starts the ranks itself
        return self.run.config.parallel.ranks if isinstance(task, Train) and not here else 1

    def _work(self, task: Task) -> Work:
        config = self.run.config
        threads = config.run.threads or self.cluster.cpus
        if self.cluster.kind != "slurm":
            threads = worker_threads(config, self.workers)
        return Work(str(self.run.directory), task, self.cluster.kind, threads, self._ranks(task))

    @property
    def _logs(self) -> Path:
        return self.run.directory / "jobs" / "logs"


def last_words(job: Job, error: Mapping[str, Any] | None, failures: int) -> str:
    """What the user reads when a task cannot be performed: what failed, whose fault, its last lines, what goes on."""
    end = {"OUT_OF_MEMORY": "ran out of memory (cluster.memory_gb)", "TIMEOUT": "ran out of time (cluster.minutes)",
           "CANCELLED": "was cancelled", UNKNOWN: "is in no queue any more"}.get(job.state, "failed")  # fmt: skip
    times = f", {failures} times" if failures > 1 else ""
    said = f": {str(error['error']).rstrip('.')}" if error else ""
    fault = f" At fault: {error['fault']}." if error and error["fault"] else ""
    words = f"{job.task}: job {job.id} {end}{times}{said}.{fault}"
    lines = job.log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if job.log.is_file() else []
    if lines and not (error and error["final"]):
        words += f" The last lines of {job.log}:\n" + "".join(f"  {line}\n" for line in lines)
    else:
        words += f" Log: {job.log}. "
    return words + (
        "Nothing finished is lost and other jobs go on: run the same command again, or coopt cancel the run."
    )
