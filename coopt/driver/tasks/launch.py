"""Run tasks in worker processes, show how far they are, and stop cleanly when one fails."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from safetensors import SafetensorError

from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, RunError
from coopt.core.meter import Reading, error_path, note_error, read_meter
from coopt.core.processes import end_pool, new_pool
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task, is_done, meter_path
from coopt.runs.run import Run

_POLL = 0.2  # seconds between two looks at the meters
END_WITH = "COOPT_END_WITH"
"""Environment variable of a bench that a sweep started: the sweep's process, with which it ends."""


class Launcher:
    """Performs tasks that are not done yet, at most ``workers`` at a time, in processes that stay warm.

    Use as a context manager. A task's failure ends the others and is raised.
    """

    def __init__(self, run: Run, workers: int, display: Display) -> None:
        self.run = run
        self.display = display
        self.pool = new_pool(workers, worker_threads(run.config, workers))

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_pool(self.pool, now=kind is not None)  # do not wait for tasks whose result nobody wants

    def __call__(self, tasks: Sequence[Task]) -> None:
        """Perform the tasks and return when all outputs are there."""
        waiting: dict[Future[None], tuple[Task, Path]] = {}
        for task in tasks:
            if is_done(task, self.run):
                self.display.finish(task, already=True)
                continue
            meter = meter_path(task, self.run)
            meter.unlink(missing_ok=True)
            error_path(meter).unlink(missing_ok=True)
            waiting[self.pool.submit(_work, str(self.run.directory), task, str(meter))] = (task, meter)
        damaged: DamagedError | None = None
        while waiting:
            done, _ = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
            for future in done:
                task, meter = waiting.pop(future)
                try:
                    _result(future, task)
                except DamagedError as error:  # the driver mends it and comes again: the others are to end first
                    damaged = error
                    continue
                except Exception as error:
                    note_error(meter, error)
                    raise
                self.display.finish(task, reading=read_meter(meter))
            readings: dict[Task, Reading] = {task: read_meter(meter) for task, meter in waiting.values()}
            self.display.update(readings)
        if damaged is not None:
            raise damaged


def worker_threads(config: Config, workers: int) -> int:
    """Torch threads of each worker."""
    return config.run.threads or max(1, (os.cpu_count() or 1) // workers)


def _result(future: Future[None], task: Task) -> None:
    try:
        future.result()
    except SafetensorError as error:  # how safetensors says that a write failed
        raise RunError(
            f"{task.label()}: cannot write ({error}). Nothing finished is lost: make room or choose another --out,"
            " then run the same command again."
        ) from None
    except BrokenProcessPool:
        raise RunError(
            f"{task.label()}: a worker process was killed (out of memory?). Nothing finished is lost:"
            " run the same command again to resume, with --workers 1 if memory is short."
        ) from None


def end_with_sweep() -> None:
    """A bench that a sweep started ends with it, as workers end with their bench."""
    if END_WITH in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ[END_WITH]),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@lru_cache(maxsize=1)
def _open(directory: str) -> Run:
    return Run.open(directory)


def _work(directory: str, task: Task, meter: str) -> None:
    from coopt.driver.tasks.perform import perform  # torch, which the driver does without

    perform(task, _open(directory), Path(meter))
