"""Perform tasks as jobs of a cluster: find those that run, submit the rest, wait, try again, stop with what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.config.cluster import ClusterConfig
from coopt.core.errors import DamagedError, RunError
from coopt.core.fault_points import fault_point
from coopt.core.meter import read_meter
from coopt.driver.slurm.batches import Batches, by_job
from coopt.driver.slurm.executors import mend, submit
from coopt.driver.slurm.failures import last_words, was_a_try
from coopt.driver.slurm.jobs import Job, cancel, error_of, is_cancelled, submitted, with_states, works_on
from coopt.driver.slurm.queue import UNKNOWN, QueueAwayError, queue_of
from coopt.driver.slurm.share import ranks_of, shared
from coopt.driver.slurm.work import Work
from coopt.driver.tasks.launch import worker_threads
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task, is_done, look_again, meter_path
from coopt.runs.run import Run

_LOOK = 0.5  # seconds between two looks at outputs and meters
_LATE = 60.0  # seconds until a job that no queue knows, or that has completed, counts as ended without its output
_UNHEARD = 20.0  # seconds until a submission without an answer, of which the queue knows nothing, was none
_PATIENCE = 600.0  # seconds to wait for a cluster that does not answer
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
        self._known: set[tuple[str, str]] = set()  # tasks and ids that this driver submitted or saw alive
        self._unsure: dict[tuple[str, str], float] = {}  # those that seem to have ended without output, and since when
        self._away: dict[str, float] = {}  # the programs that do not answer, and since when
        self._damage: DamagedError | None = None

    def __enter__(self) -> SubmititLauncher:
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
        self._damage = None
        while waiting:
            self._heed_cancel()
            live = self._live(waiting)
            if live is not None:
                self._go_on(waiting, live)
            self._wait(waiting)

    def _go_on(self, waiting: Mapping[str, Task], live: Mapping[str, str]) -> None:
        """Submit what no job waits or works for. After damage, nothing: once the other jobs have ended, the driver
        mends it and comes again."""
        if self._damage is None:
            self._submit([t for label, t in waiting.items() if label not in live], len(set(live.values())))
        elif not live:
            raise self._damage

    def _adopt(self, waiting: Mapping[str, Task]) -> set[str]:
        """Find by name the jobs of submissions whose answer was not heard or not written down. Returns the tasks of
        those that may still come to light. Raises ``QueueAwayError``."""
        unheard: set[str] = set()
        for batch in self.batches.all():
            if batch["ids"] is not None:
                continue
            ids = self.batches.adopt(batch)
            if ids is not None:
                for id_, entries in zip(ids, by_job(batch), strict=True):
                    labels = [entry["task"] for entry in entries]
                    if tasks := [waiting[label] for label in labels if label in waiting]:
                        mend(self._logs, id_, self._work(tasks), self.cluster)
                    self._known.update((label, id_) for label in labels)
            elif batch["kind"] == "slurm" and time.time() - batch["time"] < _UNHEARD:
                unheard |= {entry["task"] for entry in batch["tasks"]}
            else:
                self.batches.close(batch, None)  # they were not submitted
        return unheard & waiting.keys()

    def _live(self, waiting: Mapping[str, Task]) -> dict[str, str] | None:
        """The waiting tasks, by label, that a job waits or works for, and its id (empty until it is heard); None if the
        queue does not answer now."""
        try:
            unheard = self._adopt(waiting)
            last = {job.task: job for job in submitted(self.run.directory) if job.task in waiting}
            jobs = with_states([job for job in last.values() if job.task not in unheard])
        except QueueAwayError as error:
            self._bear("the queue has not answered", error)
            return None
        self._away.pop("the queue has not answered", None)
        living = {job.task: job.id for job in jobs if self._lives(job, waiting[job.task])}
        return dict.fromkeys(unheard, "") | living

    def _bear(self, what: str, error: QueueAwayError) -> None:
        """A cluster that cannot be reached is borne with for a while."""
        since = self._away.setdefault(what, time.monotonic())
        if time.monotonic() - since > _PATIENCE:
            raise RunError(
                f"{what} for {_PATIENCE / 60:.0f} minutes ({error}). Jobs that run go on: run the same command again"
                " when it does."
            ) from None

    def _lives(self, job: Job, task: Task) -> bool:
        this = (job.task, job.id)
        if job.live or is_done(task, self.run) or works_on(self.run.directory, job.task):
            self._known.add(this)
            self._unsure.pop(this, None)
            return True
        if job.state in (UNKNOWN, "COMPLETED"):  # accounting, or the sight of a shared file system, may be late
            look_again(task.output(self.run))
            since = self._unsure.setdefault(this, time.monotonic())
            if time.monotonic() - since < _LATE:
                return True
        if this in self._known:  # what ended before this driver began is no failure that it has seen
            self._known.remove(this)
            self._count(job)
        return False

    def _count(self, job: Job) -> None:
        """A job ended without the task's output: note it, and stop the run if that was the task's last try."""
        if job.state in _NOT_ITS_FAULT:
            return
        error = error_of(self.run.directory, job.task, job.id)
        if error and error.get("damaged"):
            self._note_damage(job, error)
            return
        if job.state != "CANCELLED":
            if not was_a_try(self.run.directory, job):
                return
            self.failures[job.task] += 1
        if job.state == "CANCELLED" or self.failures[job.task] >= self.cluster.attempts or (error and error["final"]):
            raise RunError(last_words(job, error, self.failures[job.task]))

    def _note_damage(self, job: Job, error: Mapping[str, Any]) -> None:
        """The driver mends it; jobs that run are to end first, and others that find the same are no news."""
        if self._damage is None:
            self._damage = DamagedError(str(error["error"]), Path(str(error["damaged"])))
            self.display.say(f"{job.task}: {error['error']} It is made again when the other jobs have ended.")

    def _submit(self, tasks: Sequence[Task], live: int) -> None:
        """``live``: jobs that wait or run. What has failed is tried again alone: if a job with others was killed, that
        tells who kills it."""
        failed = [task for task in tasks if self.failures[task.label()]]
        others = [task for task in tasks if not self.failures[task.label()]]
        jobs = [(t,) for t in failed] + shared(others, self.run.config, self.workers, self.display.weigh)
        room = {"slurm": len(jobs), "debug": 1}.get(self.cluster.kind, self.workers - live)
        longest = queue_of(self.cluster.kind, self.run.directory).longest() if room > 1 else 1
        works = [self._work(job) for job in jobs[: max(0, room)]]
        for _, group in groupby(works, key=lambda work: work.ranks):
            for part in batched(list(group), longest):
                if not self._submit_array(part):
                    return

    def _submit_array(self, works: Sequence[Work]) -> bool:
        """Whether the cluster has answered. If it has not, the record stays: jobs of its name may come to light."""
        held = [(place, task) for place, work in enumerate(works) for task in work.tasks]
        named = [(t.label(), str(t.output(self.run).relative_to(self.run.directory))) for _, t in held]
        batch = self.batches.open(self.cluster.kind, named, [place for place, _ in held])
        try:
            ids = submit(self.cluster, self._logs, batch["name"], works)
        except QueueAwayError as error:
            self._bear("the cluster has accepted no jobs", error)
            return False
        except RunError:
            self.batches.close(batch, None)
            raise
        fault_point("submitted")
        for _, task in held:
            meter_path(task, self.run).unlink(missing_ok=True)  # an earlier try's
        self.batches.close(batch, ids)
        self._known.update((task.label(), ids[place]) for place, task in held)
        self._away.pop("the cluster has accepted no jobs", None)
        return True

    def _heed_cancel(self) -> None:
        if is_cancelled(self.run.directory):
            with suppress(QueueAwayError):  # jobs that were being submitted when it was asked for
                cancel(self.run.directory)
            raise RunError("the run was cancelled. Nothing finished is lost: the same command continues.")

    def _wait(self, waiting: dict[str, Task]) -> None:
        """Watch outputs and meters until it is time to ask the queue, or room for another job."""
        until = time.monotonic() + self.cluster.poll_seconds
        while waiting:
            self._heed_cancel()
            finished = [t for t in waiting.values() if is_done(t, self.run)]
            for task in finished:
                del waiting[task.label()]
                store.append_lines(self.batches.seen, [{"task": task.label(), "time": time.time()}])
                self.display.finish(task, reading=read_meter(meter_path(task, self.run)))
            meters = {task: meter_path(task, self.run) for task in waiting.values()}
            self.display.update({task: read_meter(path) for task, path in meters.items() if path.is_file()})
            if time.monotonic() >= until or self.cluster.kind == "debug" or (finished and self.cluster.kind == "local"):
                return
            time.sleep(_LOOK)

    def _work(self, tasks: Sequence[Task]) -> Work:
        """What a job of these tasks does. Several of them have one rank each."""
        config, kind = self.run.config, self.cluster.kind
        threads = config.run.threads or self.cluster.cpus
        if kind != "slurm":
            threads = worker_threads(config, self.workers)
        ranks = 1 if kind == "debug" else ranks_of(tasks[0], config)  # else the driver starts them
        return Work(str(self.run.directory), tuple(tasks), kind, threads, ranks)

    @property
    def _logs(self) -> Path:
        return self.run.directory / "jobs" / "logs"


def batched(works: Sequence[Work], most: int) -> Iterator[Sequence[Work]]:
    """The jobs in their order, so many at a time."""
    for start in range(0, len(works), most):
        yield works[start : start + most]
