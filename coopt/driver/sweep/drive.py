"""Run cells as ``coopt bench`` processes, a few at a time, and say what became of each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, NamedTuple

from coopt.core.outside.files import read_end
from coopt.core.processes import END_WITH
from coopt.driver.sweep.cells import Cell

State = Literal["finished", "failed", "left out"]


class CellEnd(NamedTuple):
    """How a cell ended."""

    cell: Cell
    state: State
    seconds: float = 0.0
    last_line: str = ""
    """Of a failed cell: the last line that its bench printed."""


@dataclass
class Driver:
    """Runs cells in order, ``jobs`` at a time. A cell that fails stops no other.

    A cell is started only if what it should take fits into what is left of ``budget`` (seconds); one that has been
    started is not cut. Killed, it takes its benches with it; they resume.
    """

    jobs: int
    budget: float | None
    extra: Sequence[str]
    """Further ``coopt bench`` arguments."""
    seconds: Mapping[Cell, float]
    """What each cell should still take."""
    say: Callable[[str], None]
    on_finished: Callable[[Cell], object] = lambda cell: None
    """Told of every cell that finished, before anybody else is."""
    began: float = field(default_factory=time.monotonic)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _stopped: bool = False

    def run(self, cells: Sequence[Cell]) -> list[CellEnd]:
        """All outcomes, in the order in which they were known."""
        outcomes = []
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for future in as_completed([pool.submit(self._run, cell) for cell in cells]):
                    outcomes.append(future.result())
                    self._tell(outcomes, len(cells))
            except BaseException:  # Ctrl-C: the benches stop too, and are resumed by the same command
                pool.shutdown(wait=False, cancel_futures=True)
                self._stop()
                raise
        return outcomes

    def _run(self, cell: Cell) -> CellEnd:
        start = time.monotonic()
        if self.budget is not None and start - self.began + self.seconds[cell] > self.budget:
            return CellEnd(cell, "left out")
        self.say(f"started: {cell.name}")
        cell.directory.parent.mkdir(parents=True, exist_ok=True)
        with cell.log.open("wb") as log:
            process = self._start(cell, log.fileno())
            if process is None:
                return CellEnd(cell, "left out")
            code = process.wait()
        self._running.discard(process)
        good = code == 0 and cell.results() is not None
        if good:
            self.on_finished(cell)
        return CellEnd(
            cell, "finished" if good else "failed", time.monotonic() - start, "" if good else last_line(cell)
        )

    def _start(self, cell: Cell, log: int) -> subprocess.Popen[bytes] | None:
        environment = os.environ | {END_WITH: str(os.getpid())}
        with self._lock:
            if self._stopped:
                return None
            process = subprocess.Popen(
                cell.command(self.extra), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
            self._running.add(process)
            return process

    def _stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in list(self._running):
                process.terminate()

    def _tell(self, outcomes: Sequence[CellEnd], count: int) -> None:
        last = outcomes[-1]
        if last.state == "left out":
            return
        took = f" in {last.seconds:.0f} s" if last.state == "finished" else f": {last.last_line}"
        self.say(f"{last.state} ({len(outcomes)} of {count}): {last.cell.name}{took}")


def last_line(cell: Cell) -> str:
    """Why a bench ended: its last line that is coopt's own, else the last that anybody wrote."""
    lines = [line.strip() for line in read_end(cell.log).splitlines()]
    said = [line for line in reversed(lines) if line]
    return next((line for line in said if line.startswith("coopt: ")), said[0] if said else "no output")
