"""The page beside a run that grows while it trains. It costs less than one percent of the run, and whatever goes wrong
with it, the run goes on.

A thread of the driver looks at the run's folder and writes the page anew when there is something new. What looking and
writing take of a processor is added up, and is never more than ``_SHARE`` of the time: of the run's as it was planned
one half, and of the time that has gone by the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from coopt.runs.run import Run

if TYPE_CHECKING:
    from coopt.runs.results import Results

RELOAD = 10
"""Seconds after which an open page loads itself again."""
_SHARE = 0.008
_EVERY = 5.0  # seconds between two looks, at least
_FIRST_CURVES = 3.0  # seconds of a processor that the first page with curves may take: libraries are loaded
_LATER = 0.3  # of that, for the next one


class LivePage:
    """Use as a context manager around the bench. ``planned``: its expected seconds; ``say``: is told, once, what went
    wrong with the page."""

    def __init__(self, directory: Path, path: Path, planned: float, say: Callable[[str], None]) -> None:
        self.directory, self.path, self.planned, self.say = directory, path, planned, say
        self.spent = 0.0
        """Seconds of a processor that the page has taken so far."""
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live page", daemon=True)
        self._seen: object = None
        self._opened: tuple[int, Run] | None = None
        self._curves = _FIRST_CURVES
        self._drawn = False
        self._said = False

    def __enter__(self) -> LivePage:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=30)
        if kind is not None:
            self._try(self._stopped)  # the page stays as it was then, and loads itself no more

    def finish(self, run: Run, results: Results) -> None:
        """The finished report in its place."""
        from coopt.reports.html.page import write_page

        self._thread.join()  # a page that is still being drawn would be written over the report
        self._try(lambda: write_page(run, results, self.path))

    def may_spend(self, seconds: float) -> bool:
        """Whether a page that takes so long is cheap enough now."""
        return self.spent + seconds <= _SHARE * (time.monotonic() - self._began + self.planned) / 2

    def _watch(self) -> None:
        while not self._ended.wait(max(_EVERY, self._pause())):
            before = time.process_time()  # of the whole driver, which else only waits
            self._try(self._look)
            self.spent += time.process_time() - before

    def _pause(self) -> float:
        """Seconds until anything may be spent again."""
        return 2 * self.spent / _SHARE - self.planned - (time.monotonic() - self._began)

    def _look(self) -> None:
        run = self._run()
        if run is None:
            return
        seen = _state(run)
        if seen == self._seen:
            return
        curves = self.may_spend(self._curves)
        if self._drawn and not curves:
            return  # what is there stays until there is time for all of it
        before = time.process_time()
        self._write(run, reload=RELOAD, curves=curves)
        if curves:
            self._curves = (time.process_time() - before) * (1.0 if self._drawn else _LATER)
            self._drawn, self._seen = True, seen

    def _run(self) -> Run | None:
        """The run, opened once: it keeps its questions. None before its folder is there."""
        path = self.directory / "config.json"
        if not path.is_file():
            return None
        changed = path.stat().st_mtime_ns  # a bench that goes on may have more seeds
        if self._opened is None or self._opened[0] != changed:
            self._opened = changed, Run.open(self.directory)
        return self._opened[1]

    def _write(self, run: Run, *, reload: int, curves: bool) -> None:
        from coopt.reports.html.live import write_live

        write_live(run, self.path, reload=reload, curves=curves)

    def _stopped(self) -> None:
        run = self._run()
        if run is not None:
            self._write(run, reload=0, curves=True)

    def _try(self, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:
            if not self._said:
                self._said = True
                self.say(f"live page {self.path}: {str(error) or type(error).__name__}. The bench goes on.")


def _state(run: Run) -> object:
    """What changes when there is something new to see: decisions, tasks, steps; sizes alone are read."""
    watched = [run.journal_path, *(run.phase_files(*place).steps for place in run.phases())]
    scores = sum(1 for _ in run.directory.glob("seeds/*/*/scores/*/*/*.json"))
    return scores, tuple(p.stat().st_size if p.is_file() else 0 for p in watched)
