"""Progress of a run on the terminal: one bar with speed and time left, or plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from coopt.core.meter import Reading
from coopt.driver.tasks.task import Task

Weigh = Callable[[Task], float]
"""Expected seconds of a task."""


class Display:
    """Adds up tasks by the seconds that the plan expects of them."""

    def __init__(self, console: Console, total_seconds: float, weigh: Weigh) -> None:
        self.console = console
        self.weigh = weigh
        self.done_seconds = 0.0
        self.tokens = 0
        self.started = time.monotonic()
        self.live = console.is_terminal
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            disable=not self.live,
        )
        self.bar = self.progress.add_task("starting", total=max(total_seconds, 1e-6), speed="")

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def finish(self, task: Task, *, already: bool = False, reading: Reading | None = None) -> None:
        """A task's output is there."""
        self.done_seconds += self.weigh(task)
        if reading is not None:
            self.tokens += reading.tokens
        self._show(self.done_seconds, self.tokens, task.label())
        if not self.live and not already:
            elapsed = time.monotonic() - self.started
            self.console.print(f"[{elapsed:7.1f} s] done: {task.label()}", highlight=False)

    def update(self, running: Mapping[Task, Reading]) -> None:
        """Tasks that are under way."""
        seconds = self.done_seconds + sum(self.weigh(t) * r.share for t, r in running.items())
        tokens = self.tokens + sum(r.tokens for r in running.values())
        labels = ", ".join(t.label() for t in list(running)[:2])
        self._show(seconds, tokens, labels or "waiting")

    def _show(self, seconds: float, tokens: int, label: str) -> None:
        elapsed = max(1e-3, time.monotonic() - self.started)
        speed = f"{tokens / elapsed:,.0f} tok/s" if tokens else ""
        self.progress.update(self.bar, completed=seconds, description=label[:72], speed=speed)
