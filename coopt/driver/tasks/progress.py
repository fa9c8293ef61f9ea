"""Progress of a run on the terminal: one bar with the newest validation score, speed and time left, or plain lines in a
log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from coopt.core.meter import Reading
from coopt.core.statistics.accuracy import accuracy
from coopt.core.text import visible
from coopt.driver.tasks.task import Score, Task, Train, is_done
from coopt.runs.run import Run

Weigh = Callable[[Task], float]
"""Expected seconds of a task."""
_LABEL = 30  # characters: with the rest it fits a line of 80
_TRUST = 0.1  # share of the plan after which what was measured counts as much as what was planned
_SILENT = 60.0  # seconds after which a log is told of a task that is under way, if another percent is done


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
        self._done: dict[str, float] = {}
        """Label -> planned seconds of every task whose output is there."""
        self._before: set[str] = set()
        """Those whose output was there at the start."""
        self._planned = 0
        self._spoke = (time.monotonic(), 0)
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

    def expect(self, tasks: Iterable[Task]) -> None:
        """All tasks of the run, as far as they are known now: gates, collapses, best rounds and damage change them."""
        planned = list(tasks)
        self._planned = len(planned)
        self.left.total = max(1e-6, sum(map(self.weigh, planned)))
        if self.run is not None:
            there = {t.label(): self.weigh(t) for t in planned if is_done(t, self.run)}
            self._before = (self._before & there.keys()) | (there.keys() - self._done.keys())
            self._done = there
            self._count_before()

    def finish(self, task: Task, *, already: bool = False, reading: Reading | None = None) -> None:
        """A task's output is there."""
        label = task.label()
        if self.live and self.run is not None and isinstance(task, Score) and task.split == "validation":
            score = fmean(accuracy(self.run.answers_in(task.output(self.run))).values())
            self.newest = f"val {100 * score:.1f}"
        if label in self._done and already:
            return
        self._done[label] = self.weigh(task)
        if already:
            self._before.add(label)
            self._count_before()
        if reading is not None:
            self.tokens += reading.tokens
        self._show(self._done_seconds(), self.tokens, label)
        if not self.live and not already:
            self._log(self._done_seconds(), f"done: {label}")

    def _done_seconds(self) -> float:
        return sum(self._done.values())

    def _count_before(self) -> None:
        self.left.before = sum(self._done[label] for label in self._before)

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

    def update(self, running: Mapping[Task, Reading]) -> None:
        """Tasks that are under way."""
        seconds = self._done_seconds() + sum(self.weigh(t) * r.share for t, r in running.items())
        tokens = self.tokens + sum(r.tokens for r in running.values())
        labels = [t.label() for t in running]
        more = f" +{len(labels) - 1}" if len(labels) > 1 else ""
        self._show(seconds, tokens, (labels or ["waiting"])[0][: _LABEL - len(more)] + more)
        last, percent = self._spoke
        if not self.live and running and self._percent(seconds) > percent and time.monotonic() - last >= _SILENT:
            task, reading = max(running.items(), key=lambda pair: pair[1].share)
            said = f"done, {self._percent(seconds)} % of the work; running: {task.label()}"
            others = f" and {len(running) - 1} more" if len(running) > 1 else ""
            self._log(seconds, f"{said} ({self._within(task, reading)}){others}")

    def _within(self, task: Task, reading: Reading) -> str:
        if self.run is None or not isinstance(task, Train):
            return f"{100 * reading.share:.0f} %"
        steps = self.run.settings_of(task.method).rounds.steps
        return f"step {round(reading.share * steps)} of {steps}"

    def _percent(self, seconds: float) -> int:
        return int(100 * min(1.0, seconds / self.left.total))

    def _log(self, seconds: float, what: str) -> None:
        """A line of a log: for how long it has run, how long it will take, how much is done, and what has happened."""
        now = time.monotonic()
        left = _clock(self.left.of(seconds, max(1e-3, now - self.started)))
        self.say(f"[{_clock(now - self.started)}, left {left}] {len(self._done)} of {self._planned} {what}")
        self._spoke = (now, self._percent(seconds))

    def _show(self, seconds: float, tokens: int, label: str) -> None:
        elapsed = max(1e-3, time.monotonic() - self.started)
        speed = f"{tokens / elapsed:,.0f} tok/s" if tokens else ""
        left = f"left {_clock(self.left.of(seconds, elapsed))}"
        self.progress.update(
            self.bar,
            total=self.left.total,
            completed=seconds,
            description=label[:_LABEL],
            newest=self.newest,
            speed=speed,
            left=left,
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
