"""Run tasks in worker processes, show how far they are, and stop cleanly when one fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, KilledError, RunError
from coopt.core.full import cannot_write
from coopt.core.kernel import OutOfMemory
from coopt.core.meter import error_path, note_error, read_meter
from coopt.core.processes import ending, new_pool, preload
from coopt.driver.tasks.cards import by_width, cards_for, dealt, pool_on
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task, is_done, meter_path
from coopt.driver.tasks.together import groups, perform_together
from coopt.runs.run import Run

_POLL = 0.2  # seconds between two looks at the meters


class Launcher:
    """Performs tasks that are not done yet, at most ``workers`` at a time, in processes that stay warm. On GPUs those
    are workers with ``parallel.ranks`` GPUs each, and what needs fewer is done by more of them.

    Use as a context manager. A task's failure ends the others and is raised.
    """

    def __init__(self, run: Run, workers: int, display: Display) -> None:
        self.run = run
        self.display = display
        self.workers = workers
        self.memory = OutOfMemory()
        preload(*libraries(run.config))
        self.cards = cards_for(run.config, workers, len(run.topology.students))
        self.width = 0
        self.pool: ProcessPoolExecutor | None = None
        self._pools = ExitStack()  # after an error it does not wait for tasks whose result nobody wants

    def __enter__(self) -> Launcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pools.__exit__(kind, error, trace)

    def __call__(self, tasks: Sequence[Task]) -> None:
        """Perform the tasks and return when all outputs are there."""
        left: list[Task] = []
        for task in tasks:
            if is_done(task, self.run):
                self.display.finish(task, already=True)
            else:
                left.append(task)
        for width, alike in by_width(left, self.run.config) if self.cards else [(1, left)]:
            self._perform(alike, self._pool(width))

    def _pool(self, width: int) -> ProcessPoolExecutor:
        """Workers with so many GPUs each; on CPUs, where the width is always 1, ``workers`` of them."""
        if self.pool is None or self.width != width:
            self._pools.close()
            self.width = width
            if self.cards:
                seen = dealt(self.cards, width)
                self.pool = pool_on(seen, worker_threads(self.run.config, len(seen)))
            else:
                self.pool = new_pool(self.workers, worker_threads(self.run.config, self.workers))
            self._pools.enter_context(ending(self.pool))
        return self.pool

    def _perform(self, tasks: Sequence[Task], pool: ProcessPoolExecutor) -> None:
        workers = len(dealt(self.cards, self.width)) if self.cards else self.workers
        waiting: dict[Future[None], tuple[Task, ...]] = {}
        for group in groups(tasks, self.run.config, workers):
            for task in group:
                self._meter(task).unlink(missing_ok=True)
                error_path(self._meter(task)).unlink(missing_ok=True)
            waiting[pool.submit(_work, str(self.run.directory), group)] = group
        damaged: DamagedError | None = None
        while waiting:
            done, _ = wait(waiting, timeout=_POLL, return_when=FIRST_COMPLETED)
            for future in done:
                group = waiting.pop(future)
                try:
                    _result(future, group, self.memory)
                except DamagedError as error:  # the driver mends it and comes again: the others are to end first
                    damaged = error
                    continue
                except Exception as error:
                    if not any(error_path(self._meter(task)).exists() for task in group):
                        note_error(self._meter(group[0]), error)
                    raise
                for task in group:
                    self.display.finish(task, reading=read_meter(self._meter(task)))
            under_way = [task for future, group in waiting.items() if future.running() for task in group]
            self.display.update({task: read_meter(self._meter(task)) for task in under_way})
        if damaged is not None:
            raise damaged

    def _meter(self, task: Task) -> Path:
        return meter_path(task, self.run)


def libraries(config: Config) -> list[str]:
    """What every worker of a run will import, beyond what all workers do."""
    found = ["peft"] if config.model.weights == "lora" else []
    return found + ["torch.distributed.checkpoint", "torch.distributed.fsdp"] * (config.parallel.ranks > 1)


def worker_threads(config: Config, workers: int) -> int:
    """Torch threads of each worker."""
    return config.run.threads or max(1, (os.cpu_count() or 1) // workers)


def _result(future: Future[None], group: Sequence[Task], memory: OutOfMemory) -> None:
    label = ", ".join(task.label() for task in group)
    try:
        future.result()
    except BrokenProcessPool:
        why = memory.why()
        smaller = ", with --workers 1" if why else ""
        raise KilledError(
            f"{label}: a worker process was killed{why}. Nothing finished is lost: run the same command again to"
            f" resume{smaller}."
        ) from None
    except Exception as error:
        if (full := cannot_write(error)) is not None:
            raise RunError(f"{label}: {full}") from None
        raise


@lru_cache(maxsize=1)
def _open(directory: str) -> Run:
    return Run.open(directory)


def _work(directory: str, group: Sequence[Task]) -> None:
    from coopt.driver.tasks.perform import perform  # torch, which the driver does without

    run = _open(directory)
    if len(group) == 1:
        perform(group[0], run, meter_path(group[0], run))
    else:
        perform_together(group, run, lambda task, error: note_error(meter_path(task, run), error))
