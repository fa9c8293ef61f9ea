"""What a job does: take the leases of its tasks, perform them, say how one failed."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

import psutil
import submitit

from coopt.core import store
from coopt.core.blame import blamed
from coopt.core.errors import CooptError, DamagedError, KilledError
from coopt.core.full import cannot_write
from coopt.core.processes import set_up_torch
from coopt.core.temporary import settle
from coopt.driver.slurm.jobs import error_of, error_path, leases
from coopt.driver.slurm.lease import Holder, take
from coopt.driver.slurm.queue import QueueAwayError, queue_of
from coopt.driver.tasks.inputs import inputs
from coopt.driver.tasks.task import Task, is_done, is_output, look_again, meter_path
from coopt.driver.tasks.together import groups, perform_together
from coopt.runs.run import CONFIG, Run

_LATE = 60.0  # seconds that a file written elsewhere may take until it is seen here
_PATIENCE = 300.0  # seconds to wait for a queue that does not answer
_LOOK = 1.0


@dataclass(frozen=True)
class Work:
    """Tasks of a run as a callable that submitit can pickle, requeue and call again: its state is on disk."""

    directory: str
    tasks: tuple[Task, ...]
    kind: str
    """``cluster.kind``"""
    threads: int
    ranks: int = 1
    """Of a job of several tasks 1."""

    def __call__(self) -> None:
        """Perform what is not done and nobody else works on: side by side what can go in lockstep, the rest one after
        another. The first failure ends the job, so that no task is performed by a process in which one has failed."""
        run = _open(self.directory)
        left = [task for task in self.tasks if not is_done(task, run)]
        if not left:
            return
        me, ready = _holder(self.kind), False
        for group in groups(left, run.config, 1):
            mine = [task for task in group if _takes(task, run, me)]
            if mine and not ready:
                self._set_up()
                ready = True
            if mine:
                self._perform(mine, run, me)

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """submitit calls this when the job is preempted or out of time, and requeues what it returns."""
        return submitit.helpers.DelayedSubmission(self)

    def _set_up(self) -> None:
        """Once, for all tasks."""
        # A waiting OpenMP thread must not spin: jobs share cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        if self.kind != "debug":  # else it is the driver's process
            settle()
        set_up_torch(self.threads)

    def _perform(self, tasks: Sequence[Task], run: Run, me: Holder) -> None:
        """One task, or several in lockstep. Which failed is told to the driver; what was no single one's, of all."""
        from coopt.driver.tasks.perform import perform

        try:
            if self.ranks > 1:
                _join_ranks(run)
            for task in tasks:
                if self.kind == "debug":  # whose id is the driver's: an earlier job had it too
                    error_path(run.directory, task.label()).unlink(missing_ok=True)
                _wait_for_inputs(task, run)
            if len(tasks) == 1:
                perform(tasks[0], run, meter_path(tasks[0], run))
            else:
                _apart(partial(perform_together, tasks, run, lambda task, error: _note_failure(run, task, me, error)))
        except Exception as error:
            if not any(error_of(run.directory, task.label(), me.id) for task in tasks):
                for task in tasks:
                    _note_failure(run, task, me, error)
            raise


def _takes(task: Task, run: Run, me: Holder) -> bool:
    """Whether the task is this job's to do, now that its turn has come. Its lease says who has begun it, and when."""
    holder = take(leases(run.directory, task.label()), me, partial(_alive, run.directory))
    if holder != me:
        print(f"{task.label()}: job {holder.id} is working on it. Nothing to do here.")
    return holder == me and not is_done(task, run)  # another job may have done it since


def _apart(work: Callable[[], None]) -> None:
    """Do it in a thread, and wait here for submitit's signals: their handler leaves this thread by ``SystemExit`` once
    the job is requeued. The process then ends at once, whatever its students' threads compute."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = Thread(target=run, name="lockstep", daemon=True)
    thread.start()
    try:
        thread.join()
    except SystemExit as end:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code & 255 if isinstance(end.code, int) else 1)
    if errors:
        raise errors[0]


def _open(directory: str) -> Run:
    """The run, as soon as this node sees it."""
    until = time.monotonic() + _LATE
    while True:
        try:
            return Run.open(directory)
        except CooptError:
            if time.monotonic() > until:
                raise
        look_again(Path(directory) / CONFIG)
        time.sleep(_LOOK)


def _wait_for_inputs(task: Task, run: Run) -> None:
    """What another node wrote a moment ago may not be seen here yet; what is not there later is missing, and whoever
    loads it says so."""
    until = time.monotonic() + _LATE
    folders = [run.phase_dir(*phase) for phase, _ in inputs(task, run)]
    while (missing := [f for f in folders if not is_output(f)]) and time.monotonic() < until:
        for folder in missing:
            look_again(folder)
        time.sleep(_LOOK)


def _alive(directory: Path, other: Holder) -> bool:
    """Whether another job works on the task. A queue that does not answer is asked again for a while: a job that goes
    away because of it would be a try that was none."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return queue_of(other.kind, directory).works(other, sure=True)
        except QueueAwayError:
            if time.monotonic() > until:
                return True
        time.sleep(_LOOK)


def _holder(kind: str) -> Holder:
    process = psutil.Process()
    id_ = debug_id(process.pid) if kind == "debug" else submitit.JobEnvironment().job_id
    return Holder(kind, id_, socket.gethostname(), process.pid, process.create_time(), time.time())


def debug_id(pid: int) -> str:
    """The id of every debug job of a driver: they run inside it, one after another."""
    return f"debug-{pid}"


def _join_ranks(run: Run) -> None:
    """The job's tasks become the ranks of one process group. They are on one node, whose name need not resolve."""
    submitit.helpers.TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    from coopt.lm.ranks import join_ranks

    join_ranks(run.config.parallel.backend)


def _note_failure(run: Run, task: Task, me: Holder, error: Exception) -> None:
    """A user's error stops the run at once: the next attempt would end the same way. Of several ranks the first to fail
    is heard: it takes the others down."""
    if error_of(run.directory, task.label(), me.id) is not None:
        return
    lines, full = str(error).strip().splitlines() or [""], cannot_write(error)
    text = full or (lines[-1] if isinstance(error, CooptError) else f"{type(error).__name__}: {lines[-1]}")
    final = full is not None or (isinstance(error, CooptError) and not isinstance(error, KilledError))
    record = {"id": me.id, "error": text, "fault": blamed(error), "final": final}
    if isinstance(error, DamagedError) and error.output is not None:
        record["damaged"] = str(error.output)
    with suppress(OSError):  # a full disk must not hide what went wrong: then the log says it
        store.write_json(error_path(run.directory, task.label()), record)
