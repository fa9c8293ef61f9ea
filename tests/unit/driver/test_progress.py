"""The bar: it fits 80 columns, and its time left is honest."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from coopt.core.config.load import load_config
from coopt.core.meter import Reading
from coopt.core.seals import COMPLETE
from coopt.driver.bench import Bench
from coopt.driver.tasks.progress import Display, TimeLeft
from coopt.driver.tasks.task import Train
from coopt.runs.run import Run


def test_at_the_start_it_is_the_plans_and_then_what_was_measured() -> None:
    left = TimeLeft(total=100.0, pace=0.5)
    assert left.of(0.0, 0.0) == pytest.approx(50.0)
    # Twice as slow as planned: after half of the plan mostly believed.
    assert 75.0 > left.of(50.0, 50.0) > 45.0
    assert left.of(100.0, 100.0) == 0.0


def test_what_was_there_before_says_nothing_of_the_speed() -> None:
    """A resumed run said "0:00:01" for a minute."""
    left = TimeLeft(total=100.0, pace=0.5)
    left.before = 80.0
    assert left.of(80.0, 0.1) == pytest.approx(10.0, rel=0.05)
    assert left.of(90.0, 10.0) == pytest.approx(10 * 15 / 20)


def test_the_bar_fits_eighty_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    task = Train(12345, "domain_selective", 14, "student12", ())
    with Display(console, 36_000.0, lambda t: 100.0) as display:
        display.newest = "val 84.9"
        display.update({task: Reading(0.5, 10_000_000, 3.0), Train(0, "sdpo", 1, "s2", ()): Reading()})
    shown = [line for line in out.getvalue().replace("\r", "\n").splitlines() if "left" in line]
    assert shown
    assert "val 84.9" in shown[-1]
    assert "tok/s" in shown[-1]
    assert "+1" in shown[-1]
    assert shown[-1].rstrip()[-1].isdigit(), "the time left is not cut off"


def _tasks(count: int) -> list[Train]:
    return [Train(0, "sdpo", r, "s1", ()) for r in range(1, count + 1)]


def _in_a_log(run: Run | None = None) -> tuple[io.StringIO, Display]:
    out = io.StringIO()
    return out, Display(Console(file=out, width=80), 300.0, lambda t: 100.0, run=run)


def test_a_log_says_how_much_is_done_of_how_much() -> None:
    out, display = _in_a_log()
    with display:
        display.expect(_tasks(3))
        for task in _tasks(3):
            display.finish(task)
    assert [line.split("] ")[1] for line in out.getvalue().splitlines()] == [
        f"{k} of 3 done: seed 0 sdpo round {k} s1" for k in (1, 2, 3)
    ]


def test_what_turns_out_to_be_needless_is_no_longer_counted() -> None:
    out, display = _in_a_log()
    with display:
        display.expect(_tasks(3))
        display.finish(_tasks(1)[0])
        display.expect(_tasks(2))
        display.finish(_tasks(2)[1])
    assert "] 2 of 2 done" in out.getvalue().splitlines()[-1]


def test_a_log_hears_of_a_long_task_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours may pass between two tasks."""
    now = [0.0]
    monkeypatch.setattr("coopt.driver.tasks.progress.time.monotonic", lambda: now[0])
    run = Run(tmp_path, load_config(smoke=True, methods=("sdpo",), rounds={"steps": 50}))
    out, display = _in_a_log(run)
    task = _tasks(1)[0]
    with display:
        display.expect(_tasks(3))
        for second in range(1, 601):
            now[0] = float(second)
            display.update({task: Reading(second / 1000, 10, 1.0)})
    lines = out.getvalue().splitlines()
    assert len(lines) == 10
    assert "0 of 3 done, 20 % of the work; running: seed 0 sdpo round 1 s1 (step 30 of 50)" in lines[-1]


def test_a_resumed_run_counts_what_is_there(tmp_path: Path) -> None:
    run = Run(tmp_path, load_config(smoke=True, methods=("sdpo",)))
    first, second, third = _tasks(3)
    for task in (first, third):
        task.output(run).mkdir(parents=True)
        (task.output(run) / COMPLETE).touch()
    out, display = _in_a_log(run)
    with display:
        display.expect((first, second, third))
        display.finish(first, already=True)
        display.finish(second)
    assert display.left.before == 200.0
    (line,) = out.getvalue().splitlines()
    assert "] 3 of 3 done: seed 0 sdpo round 2 s1" in line


def test_a_resumed_bench_says_what_is_left(tmp_path: Path) -> None:
    bench = Bench(load_config(smoke=True, methods=("sdpo",)), tmp_path / "run", 2, {})
    assert bench.so_far() == ""
    folder = Train(0, "sdpo", 1, "s1", ()).output(bench.run)
    folder.mkdir(parents=True)
    (folder / COMPLETE).touch()
    said = bench.so_far()
    assert said.startswith(f"resuming {tmp_path / 'run'}: 1 of 21 tasks done, 20 left (about ")
