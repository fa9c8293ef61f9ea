"""Progress of a run on the terminal: one bar with the newest validation score, speed and time left, or plain lines in a
log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import fmean
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from coopt.core import store
from coopt.core.meter import Reading
from coopt.core.statistics.accuracy import accuracy
from coopt.driver.tasks.task import Score, Task
from coopt.runs.run import Run

Weigh = Callable[[Task], float]
"""Expected seconds of a task."""
_LABEL = 30  # characters: with the rest it fits a line of 80
_TRUST = 0.1  # share of the plan after which what was measured counts as much as what was planned


class TimeLeft:
    """Expected seconds until the end. The plan's seconds are worth as many real ones as those that were done since the
    start were worth; before there are many, about as many as the plan says.

    ``total``: the plan's seconds of one worker; ``pace``: real seconds for one of them, if the plan is right.
    """

    def __init__(self, total: float, pace: float) -> None:
        self.total = total
        self.pace = pace
        self.before = 0.0
        """Planned seconds of what was done before this start: it says nothing of the speed."""

    def of(self, done: float, elapsed: float) -> float:
        fresh, prior = max(0.0, done - self.before), _TRUST * self.total
        pace = (elapsed + self.pace * prior) / (fresh + prior)
        return max(0.0, self.total - done) * pace


class Display:
    """Adds up tasks by the seconds that the plan expects of them. ``run``: whose validation scores are shown."""

    def __init__(
        self, console: Console, total_seconds: float, weigh: Weigh, *, workers: int = 1, run: Run | None = None
    ) -> None:
        self.console = console
        self.weigh = weigh
        self.run = run
        self.done_seconds = 0.0
        self._finished: set[Task] = set()
        self.tokens = 0
        self.started = time.monotonic()
        self.left = TimeLeft(max(total_seconds, 1e-6), 1 / workers)
        self.live = console.is_terminal
        self.newest = ""
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=10),
            TaskProgressColumn(),
            TextColumn("{task.fields[newest]}"),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[left]}"),
            console=console,
            disable=not self.live,
        )
        self.bar = self.progress.add_task("starting", total=self.left.total, newest="", speed="", left="")

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()

    def finish(self, task: Task, *, already: bool = False, reading: Reading | None = None) -> None:
        """A task's output is there."""
        if task in self._finished and already:  # the lists are gone through again
            return
        if task not in self._finished:
            self.done_seconds += self.weigh(task)
        self._finished.add(task)
        if already:
            self.left.before += self.weigh(task)
        if reading is not None:
            self.tokens += reading.tokens
        if self.live and self.run is not None and isinstance(task, Score) and task.split == "validation":
            score = fmean(accuracy(store.read_sealed(task.output(self.run))).values())
            self.newest = f"val {100 * score:.1f}"
        self._show(self.done_seconds, self.tokens, task.label())
        if not self.live and not already:
            elapsed = time.monotonic() - self.started
            self.console.print(f"[{elapsed:7.1f} s] done: {task.label()}", highlight=False)

    def update(self, running: Mapping[Task, Reading]) -> None:
        """Tasks that are under way."""
        seconds = self.done_seconds + sum(self.weigh(t) * r.share for t, r in running.items())
        tokens = self.tokens + sum(r.tokens for r in running.values())
        labels = [t.label() for t in running]
        more = f" +{len(labels) - 1}" if len(labels) > 1 else ""
        self._show(seconds, tokens, (labels or ["waiting"])[0][: _LABEL - len(more)] + more)

    def _show(self, seconds: float, tokens: int, label: str) -> None:
        elapsed = max(1e-3, time.monotonic() - self.started)
        speed = f"{tokens / elapsed:,.0f} tok/s" if tokens else ""
        left = f"left {_clock(self.left.of(seconds, elapsed))}"
        self.progress.update(
            self.bar, completed=seconds, description=label[:_LABEL], newest=self.newest, speed=speed, left=left
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
