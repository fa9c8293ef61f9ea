"""Cells as processes: failures, budget, bound, and the end of a sweep that is stopped."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from coopt.driver.sweep.arms import Arm
from coopt.driver.sweep.cells import Cell
from coopt.driver.sweep.drive import CellEnd, Driver
from coopt.runs.results import Results


class Script(Cell):
    """A cell whose bench is a few lines of Python; it is finished when its folder is there."""

    def command(self, extra: Sequence[str] = ()) -> list[str]:
        return [sys.executable, "-S", "-c", self.arm.settings["code"], str(self.directory), *extra]

    def results(self) -> Results | None:
        return cast(Results, "found") if self.directory.exists() else None


FINISH = "import os, sys; os.makedirs(sys.argv[1]); print('well')"


def script(folder: Path, name: str, code: str = FINISH) -> Script:
    return Script(Arm(name, "mini", True, {"code": code}), 0, folder)


def run(cells: Sequence[Cell], **changes: Any) -> tuple[list[CellEnd], list[str]]:
    said: list[str] = []
    settings = {"jobs": 1, "budget": None, "extra": [], "seconds": dict.fromkeys(cells, 0.0), "say": said.append}
    outcomes = Driver(**(settings | changes)).run(cells)
    return sorted(outcomes, key=lambda o: cells.index(o.cell)), said


def test_a_failure_stops_nothing_and_keeps_its_last_line(tmp_path: Path) -> None:
    bad = script(tmp_path, "bad", "import sys; print('working'); sys.exit('it broke\\n')")
    silent = script(tmp_path, "silent", "raise SystemExit(1)")
    liar = script(tmp_path, "liar", "print('done, but nothing is there')")
    good = script(tmp_path, "good")
    outcomes, said = run([bad, silent, liar, good])
    assert [(o.state, o.last_line) for o in outcomes] == [
        ("failed", "it broke"), ("failed", "no output"), ("failed", "done, but nothing is there"), ("finished", "")
    ]  # fmt: skip
    assert good.log.read_text() == "well\n"
    assert "failed (1 of 4): bad seed 0: it broke" in said


def test_extra_arguments_reach_every_bench(tmp_path: Path) -> None:
    cell = script(tmp_path, "a", FINISH + "; print(sys.argv[2:])")
    run([cell], extra=["--cluster", "slurm"])
    assert "['--cluster', 'slurm']" in cell.log.read_text()


def test_what_does_not_fit_into_the_budget_is_not_started(tmp_path: Path) -> None:
    cells = [script(tmp_path, n) for n in ("first", "long", "short")]
    seconds = dict(zip(cells, (0.0, 1000.0, 0.0), strict=True))
    outcomes, _ = run(cells, budget=500.0, seconds=seconds)
    assert [o.state for o in outcomes] == ["finished", "left out", "finished"]
    assert not cells[1].log.exists()


def test_no_more_than_jobs_run_at_once(tmp_path: Path) -> None:
    """Each waits for a second one to have begun, and counts the marks of those that run beside it."""
    code = """
import os, sys, time
def count(ending): return sum(f.endswith(ending) for _, _, files in os.walk(sys.argv[2]) for f in files)
me = sys.argv[1]
for ending in (".mark", ".begun"): open(me + ending, "w").close()
while count(".begun") < 2: time.sleep(0.02)
time.sleep(0.3)
n = count(".mark")
os.remove(me + ".mark")
os.makedirs(me)
print(n)
"""
    cells = [script(tmp_path, f"c{k}", code) for k in range(6)]
    outcomes, _ = run(cells, jobs=2, extra=[str(tmp_path)])
    assert {o.state for o in outcomes} == {"finished"}
    assert max(int(c.log.read_text()) for c in cells) == 2


def test_a_stopped_sweep_ends_its_benches(tmp_path: Path) -> None:
    """The process is told to end, and no other one is started."""
    code = "import os, sys, time; open(sys.argv[1] + '.pid', 'w').write(str(os.getpid())); time.sleep(600)"
    cells = [script(tmp_path, n, code) for n in ("first", "second")]

    def interrupt(text: str) -> None:
        if text.startswith("failed"):
            raise KeyboardInterrupt

    driver = Driver(1, None, [], dict.fromkeys(cells, 0.0), interrupt)
    thread = threading.Thread(target=_stop_when_started, args=(driver, cells[0].directory.with_suffix(".pid")))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        driver.run(cells)
    thread.join()
    assert not cells[1].directory.with_suffix(".pid").exists()
    pid = int(cells[0].directory.with_suffix(".pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def _stop_when_started(driver: Driver, pid: Path) -> None:
    while not (pid.is_file() and pid.read_text()):
        time.sleep(0.02)
    driver._stop()
