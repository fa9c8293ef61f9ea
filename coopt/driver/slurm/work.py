"""What a job does: take the task's lease, perform the task, say how it failed."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import submitit

from coopt.core import store
from coopt.core.blame import blamed
from coopt.core.errors import CooptError, DamagedError
from coopt.core.processes import set_up_torch
from coopt.driver.slurm.jobs import error_path, leases
from coopt.driver.slurm.lease import Holder, take
from coopt.driver.slurm.queue import queue_of
from coopt.driver.tasks.task import Task, is_done, meter_path
from coopt.runs.run import Run


@dataclass(frozen=True)
class Work:
    """A task of a run as a callable that submitit can pickle, requeue and call again: its state is on disk."""

    directory: str
    task: Task
    kind: str
    """``cluster.kind``"""
    threads: int
    ranks: int = 1

    def __call__(self) -> None:
        run = Run.open(self.directory)
        if is_done(self.task, run):
            return
        me = _holder(self.kind)
        holder = take(leases(run.directory, self.task.label()), me, lambda other: queue_of(other.kind).works(other))
        if holder != me:
            print(f"{self.task.label()}: job {holder.id} is working on it. Nothing to do here.")
            return
        # A waiting OpenMP thread must not spin: jobs share cores.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        set_up_torch(self.threads)
        from coopt.driver.tasks.perform import perform

        try:
            if self.ranks > 1:
                _join_ranks(run)
            perform(self.task, run, meter_path(self.task, run))
        except Exception as error:
            _note_failure(run, self.task, me, error)
            raise

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """submitit calls this when the job is preempted or out of time, and requeues what it returns."""
        return submitit.helpers.DelayedSubmission(self)


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
    lines = str(error).strip().splitlines() or [""]
    text = lines[-1] if isinstance(error, CooptError) else f"{type(error).__name__}: {lines[-1]}"
    final = isinstance(error, CooptError)
    record = {"id": me.id, "error": text, "fault": blamed(error), "final": final}
    if isinstance(error, DamagedError) and error.output is not None:
        record["damaged"] = str(error.output)
    store.write_json(error_path(run.directory, task.label()), record)


def error_of(directory: Path, task: str, id_: str) -> dict[str, object] | None:
    """How the job ``id_`` of a task failed, if it could say so itself."""
    path = error_path(directory, task)
    record: dict[str, object] | None = store.read_json(path) if path.is_file() else None
    return record if record and record["id"] == id_ else None
