"""``coopt status`` and ``coopt logs`` on run folders in every state, made by hand."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import ModelError
from coopt.core.meter import error_path, read_meter
from coopt.driver.plan.plan import Plan, saved_plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.status import RunStatus, run_status
from coopt.driver.tasks.launch import Launcher
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Score, Specialise, Task, Train, meter_path
from coopt.runs.journal import Journal
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.small_runs import step_of

SETTINGS = {"topology": "pair", "smoke": True, "methods": ("opcod",)}


def new_run(folder: Path) -> Run:
    run = Run(folder, load_config(**SETTINGS))
    store.write_json(folder / "config.json", run.config.model_dump(mode="json"))
    Journal(run.journal_path).note("started", {})
    Plan(run, REFERENCE, 2).save()
    return run


def finish(run: Run, task: Task) -> None:
    """Leave the task's output."""
    if isinstance(task, Score):
        store.write_json(task.output(run), {})
    else:
        with store.new_directory(task.output(run)):
            pass


def measure(run: Run, task: Task, share: float, tokens: int, seconds: float) -> None:
    path = meter_path(task, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[{share}, {tokens}, {seconds}]")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Both specialists made, one student half trained in round 1, another waiting."""
    run = new_run(tmp_path / "runs" / "mine")
    for name in ("s1", "s2"):
        finish(run, Specialise(0, name))
    measure(run, Train(0, "opcod", 1, "s1", ()), 0.5, 1200, 4.0)
    return run


class Working:
    """A bench that holds the run's lock."""

    def __init__(self, run: Run) -> None:
        self.path = run.directory / "run.lock"

    def __enter__(self) -> None:
        self.file = self.path.open("a")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


def word_of(status: RunStatus, label: str) -> str:
    return next(t.word for t in status.tasks if t.task.label() == label)


def test_tasks_are_done_running_or_waiting(run: Run) -> None:
    with Working(run):
        status = run_status(run)
    assert status.word == "running"
    assert word_of(status, "seed 0 specialist s1") == "done"
    assert word_of(status, "seed 0 opcod round 1 s1") == "running"
    assert word_of(status, "seed 0 opcod round 1 s2") == "waiting"
    assert (status.count("done"), status.count("running")) == (2, 1)
    assert status.tokens_per_second == 300
    assert 0 < status.share < 0.2


def test_without_a_bench_nothing_runs_and_no_time_is_promised(run: Run) -> None:
    status = run_status(run)
    assert (status.word, status.count("running"), status.seconds_left(time.time())) == ("stopped", 0, None)
    Journal(run.journal_path).note("failed", {"error": "the loss is nan"})
    assert (run_status(run).word, run_status(run).error) == ("failed", "the loss is nan")
    Journal(run.journal_path).note("resumed", {})
    assert (run_status(run).word, run_status(run).error) == ("stopped", "")
    Journal(run.journal_path).note("finished")
    assert run_status(run).word == "finished"


def test_time_left_follows_the_pace_since_the_last_start(run: Run) -> None:
    plan = saved_plan(run)
    with Working(run):
        status = run_status(run)
        begun = status.since
        left = sum(plan.seconds(t.task) * (1 - t.reading.share) for t in status.tasks if t.word != "done")
        done = sum(plan.seconds(Specialise(0, s)) for s in ("s1", "s2")) + 0.5 * plan.seconds(
            Train(0, "opcod", 1, "s1", ())
        )
        assert done > 10
        assert status.seconds_left(begun + 2 * done) == pytest.approx(2 * left, rel=0.01)
        for name in ("s1", "s2"):  # made before the last start: they say nothing of the pace now
            os.utime(run.phase_dir(0, "init", 0, name), (begun - 99, begun - 99))
        assert run_status(run).seconds_left(begun + 2 * done) == pytest.approx(left / plan.workers, rel=0.01)


def test_training_of_a_collapsed_student_is_left_out(run: Run) -> None:
    Journal(run.journal_path).once("collapsed", "0/opcod/r2", lambda: ["s2"])
    status = run_status(run)
    assert word_of(status, "seed 0 opcod round 2 s2") == "left out"
    assert word_of(status, "seed 0 opcod round 1 s2") == "waiting"
    assert word_of(status, "seed 0 opcod round 2 s1") == "waiting"


def test_the_status_changes_nothing(run: Run) -> None:
    with run.journal_path.open("a") as file:
        file.write('{"event": "torn')
    before = {p: p.read_bytes() for p in run.directory.rglob("*") if p.is_file()}
    run_status(run)
    assert {p: p.read_bytes() for p in run.directory.rglob("*") if p.is_file()} == before


def test_a_failed_task_leaves_its_error_until_it_is_tried_again(tmp_path: Path) -> None:
    """The real launcher; the specialist's base does not exist."""
    run = new_run(tmp_path / "run")
    bad = run.config.model_copy(update={"model": run.config.model.model_copy(update={"path": str(tmp_path / "none")})})
    store.write_json(run.directory / "config.json", bad.model_dump(mode="json"))
    task = Score(0, "base", 0, "base", "test")
    with (
        pytest.raises(ModelError, match="no such directory"),
        Display(Console(quiet=True), 1.0, lambda t: 1.0) as display,
        Launcher(Run.open(run.directory), 1, display) as launch,
    ):
        launch([task])
    said = error_path(meter_path(task, run)).read_text()
    assert "no such directory" in said
    shown = next(t for t in run_status(Run.open(run.directory)).tasks if t.task == task)
    assert (shown.word, shown.error) == ("waiting", said.strip())
    finish(run, task)
    assert next(t.error for t in run_status(run).tasks if t.task == task) == ""
    assert read_meter(meter_path(task, run)).share == 0


# -- the commands ----------------------------------------------------------------------------------------


def test_status_of_a_folder_and_of_a_run(cli: Command, run: Run, tmp_path: Path) -> None:
    sweep = new_run(tmp_path / "runs/sweeps/pairs/phys-chem/seed-3")
    Journal(sweep.journal_path).note("failed", {"error": "out of tea"})
    with Working(run):
        text = cli("status").out
        assert "mine" in text
        assert "running" in text
        assert "sweeps/pairs/phys-chem/seed-3" in text
        assert "out of tea" in text
        one = cli("status", "runs/mine").out
    assert "training opcod" in one
    assert "seed 0 opcod round 1 s1" in one
    assert "50 %" in one
    assert "left: " in one
    assert "300 tokens/s" in one
    assert "phys-chem/seed-3" in cli("status", "runs/sweeps/pairs").out
    assert "stopped" in cli("status", "runs/mine", "--watch").out  # nothing runs: one look


def test_what_is_no_run_is_one_line(cli: Command, run: Run) -> None:
    for arguments, message in [
        (["status", "nowhere"], "nowhere: no runs here"),
        (["logs", "nowhere"], "nowhere: no run here"),
        (["logs", "runs/mine"], "nothing has been trained yet"),
        (["logs", "runs/mine", "s3"], "unknown student 's3'. Allowed: s1, s2"),
        (["logs", "runs/mine", "--method", "sdpo"], "unknown method 'sdpo'"),
        (["logs", "runs/mine", "--seed", "7"], "unknown seed '7'"),
    ]:
        done = cli(*arguments)
        assert (done.code, message in done.err) == (2, True), done.err


def test_ctrl_c_is_no_success(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(root: Path) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("coopt.driver.status.find_runs", interrupted)
    done = cli("status")
    assert (done.code, "stopped" in done.err) == (130, True)


def step(number: int, **changes: Any) -> dict[str, Any]:
    record = {
        "step": number, "loss": 0.25, "grad_norm": 1.5, "lr": 1e-5, "rollouts": 8, "correct": 2, "active_rows": 6,
        "outcomes": {"s2": {"kept": 3, "empty": 1}}, "tokens": {"rollout": 60, "feedback": 20, "trained": 20},
        "seconds": {"rollout": 0.2, "feedback": 0.1, "teacher": 0.1, "student": 0.1, "total": 0.5}, "memory_gib": 1.2,
        "away": {},
    }  # fmt: skip
    whole = step_of(number) | record | changes
    return whole | {"told": {tutor: {"unread": 0} for tutor in whole["outcomes"]}}


def test_logs_of_a_student(cli: Command, run: Run) -> None:
    path = run.phase_dir(0, "opcod", 1, "s1").with_name("s1.steps.jsonl")
    store.append_lines(path, [step(0), step(1, correct=4, outcomes={})])
    decision = {"open": True, "reason": "cognizant", "gap": 0.125, "gap_low": None, "gap_high": None, "flip": 0.0}
    Journal(run.journal_path).once("gates", "0/opcod/r1", lambda: {"s2 -> s1": decision, "s1 -> s2": decision})
    rows = [line.split() for line in cli("logs", "runs/mine", "s1").out.splitlines()]
    assert ["1", "0.25000", "1.500", "1.0e-05", "25.0", "6", "of", "8", "75.0", "200", "0.50", "1.2"] in rows
    assert ["2", "0.25000", "1.500", "1.0e-05", "50.0", "6", "of", "8", "–", "200", "0.50", "1.2"] in rows
    gates = [" ".join(r) for r in rows if "gate" in r]
    assert gates == ["gate s2 -> s1: open (cognizant, gap 0.125)"]
    assert "0.25000" in cli("logs", "runs/mine", "s1", "--last", "1").out
    assert ["0", "opcod", "1", "s1", "2", "0.2500", "0.2500", "25.0", "50.0", "75.0", "200", "0.50"] in [
        line.split() for line in cli("logs", "runs/mine").out.splitlines()
    ]
