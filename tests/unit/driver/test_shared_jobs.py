"""Jobs of several tasks: which share one, what one does, and whose try its end was."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, RunError
from coopt.driver.slurm import work
from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.failures import was_a_try
from coopt.driver.slurm.jobs import error_of, jobs_of, leases, submitted
from coopt.driver.slurm.lease import Holder, newest, take
from coopt.driver.slurm.queue import SlurmQueue
from coopt.driver.slurm.share import shared
from coopt.driver.slurm.work import Work
from coopt.driver.tasks import perform
from coopt.driver.tasks.task import BreakRate, Score, Task, Train
from coopt.runs.run import Run
from tests.unit.driver.marks import Mark, new_launcher, new_run, perform_marks

ONE = Holder("slurm", "5", "node", 1, 0.0, 0.0)


@pytest.fixture(autouse=True)
def _marks_are_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "perform", perform_marks)


# -- which tasks share a job -----------------------------------------------------------------------------


def config(*settings: str) -> Config:
    return load_config(settings=["cluster.kind=slurm", *settings])


def sizes(tasks: Sequence[Task], *settings: str, workers: int = 2, seconds: float = 60.0) -> list[int]:
    jobs = shared(tasks, config(*settings), workers, lambda task: seconds)
    assert [task for job in jobs for task in job] == list(tasks)
    return list(map(len, jobs))


def scores(count: int) -> list[Task]:
    return [Score(0, "opcod", 1, f"s{k}", "validation") for k in range(count)]


def trained(count: int) -> list[Task]:
    return [Train(0, "opcod", 1, f"s{k}", ()) for k in range(count)]


def test_short_tasks_share_a_job_of_about_five_minutes() -> None:
    assert sizes(scores(4)) == [4]
    assert sizes(scores(10)) == [5, 5]
    assert sizes(scores(4), seconds=400.0) == [1, 1, 1, 1]
    assert sizes(trained(3), seconds=20.0) == [3], "small students too"
    assert sizes([]) == []


def test_of_a_short_time_limit_they_take_half() -> None:
    assert sizes(scores(4), "cluster.minutes=4") == [2, 2]


@pytest.mark.parametrize(("most", "found"), [(1, [1] * 5), (2, [2, 2, 1]), (9, [5])])
def test_as_many_as_asked_for_however_long(most: int, found: list[int]) -> None:
    assert sizes(scores(5), f"cluster.tasks_per_job={most}", seconds=4000.0) == found


def test_on_this_machine_they_are_dealt_over_the_workers() -> None:
    local = "cluster.kind=local"
    assert sizes(scores(5), local, workers=2) == [2, 3]
    assert sizes(scores(5), local, workers=8) == [1] * 5
    assert sizes(scores(20), local, workers=2) == [5] * 4, "no job is longer than it is worth"


def test_a_student_of_several_ranks_has_its_job() -> None:
    tasks = [*scores(2), *trained(2), *scores(2)]
    assert sizes(tasks, "parallel.ranks=2", "cluster.tasks_per_job=9", seconds=1.0) == [2, 1, 1, 2]


def test_students_in_lockstep_are_one_job_however_long() -> None:
    assert sizes(trained(8), "model.weights=lora", workers=1, seconds=9000.0) == [8]
    assert sizes(trained(8), "model.weights=lora", workers=2, seconds=9000.0) == [4, 4]
    assert sizes(trained(8), "model.weights=lora", "cluster.tasks_per_job=3", workers=1, seconds=9.0) == [2, 3, 3]
    assert sizes(trained(5), "model.weights=lora", "cluster.tasks_per_job=9", workers=4, seconds=9.0) == [1, 1, 1, 2]
    probes: list[Task] = [BreakRate(0, f"s{k}", ()) for k in range(2)]
    assert sizes([*probes, *scores(8)], "model.weights=lora", workers=1, seconds=10.0) == [10]
    assert sizes(trained(3), "model.weights=lora", "parallel.lockstep=false", workers=1, seconds=900.0) == [1] * 3


# -- what a job does -------------------------------------------------------------------------------------


def job(run: Run, *marks: Mark) -> Work:
    return Work(str(run.directory), marks, "debug", 1)  # type: ignore[arg-type]


def test_it_leaves_out_what_is_done_and_what_another_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, a, b, c = new_run(tmp_path), Mark("a"), Mark("b"), Mark("c")
    store.write_text(a.output(run), "done")
    take(leases(run.directory, "mark b"), ONE, lambda holder: False)
    monkeypatch.setattr(SlurmQueue, "works", lambda self, holder, sure=False: True)
    job(run, a, b, c)()
    assert [m.tries(run) for m in (a, b, c)] == [0, 0, 1]
    assert newest(leases(run.directory, "mark a")) == (0, None)


def test_the_first_failure_ends_it_and_the_rest_is_not_begun(tmp_path: Path) -> None:
    run, a, b, c = new_run(tmp_path), Mark("a"), Mark("b", 1), Mark("c")
    with pytest.raises(OSError, match="torn weights"):
        job(run, a, b, c)()
    assert [m.tries(run) for m in (a, b, c)] == [1, 1, 0]
    assert newest(leases(run.directory, "mark c")) == (0, None), "nobody has begun it"
    job(run, a, b, c)()
    assert [m.tries(run) for m in (a, b, c)] == [1, 2, 1]


def in_lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "groups", lambda tasks, config, workers: [tuple(tasks)])


def told(run: Run, *marks: Mark) -> list[Any]:
    """What the driver hears of each."""
    found = []
    for mark in marks:
        _, holder = newest(leases(run.directory, mark.label()))
        error = holder and error_of(run.directory, mark.label(), holder.id)
        found.append(error["error"] if error else None)
    return found


def test_in_lockstep_only_the_one_that_failed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_lockstep(monkeypatch)
    run, marks = new_run(tmp_path), (Mark("a"), Mark("b", 1), Mark("c"))
    with pytest.raises(OSError, match="torn weights"):
        job(run, *marks)()
    assert told(run, *marks) == [None, "OSError: torn weights", None]
    job(run, *marks)()
    assert [m.tries(run) for m in marks] == [1, 2, 1]


def test_what_was_no_single_ones_failure_is_told_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(tasks: object, run: object, failed: object) -> None:
        raise RuntimeError("timed-out too many times")

    in_lockstep(monkeypatch)
    monkeypatch.setattr(work, "perform_together", fails)
    run, marks = new_run(tmp_path), (Mark("a"), Mark("b"))
    with pytest.raises(RuntimeError):
        job(run, *marks)()
    assert told(run, *marks) == ["RuntimeError: timed-out too many times"] * 2


def test_a_job_that_is_requeued_ends_at_once_whatever_its_students_compute() -> None:
    """submitit's handler of a warning raises SystemExit in the main thread; students are threads."""
    script = """
import os, signal, sys, threading, time
from functools import partial
from coopt.core.rendezvous import Rendezvous
from coopt.driver.slurm.work import _apart
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(144))
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR2)).start()
_apart(partial(Rendezvous({}).run, [partial(time.sleep, 600)] * 2))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=40, check=False).returncode == 144


# -- whose try the end of a job was ----------------------------------------------------------------------


def launch(run: Run, *marks: Mark) -> Any:
    """The launcher, when it has performed them."""
    with new_launcher(run) as made:
        made(list(marks))  # type: ignore[arg-type]
    return made


def test_one_that_fails_among_several_is_tried_again_alone_and_the_others_lose_no_try(tmp_path: Path) -> None:
    run, marks = new_run(tmp_path, "cluster.kind=debug"), (Mark("a"), Mark("b", failures=2), Mark("c"))
    made = launch(run, *marks)
    assert made.failures == {"mark b": 2}
    assert [m.tries(run) for m in marks] == [1, 3, 1]
    jobs = jobs_of(run.directory)
    assert [job.tasks for job in jobs] == [("mark a", "mark b", "mark c")] * 3 + [("mark b",)] * 2 + [("mark c",)]
    assert [(job.task, job.state) for job in jobs] == [
        ("mark a", "COMPLETED"),
        ("mark b", "FAILED"),
        ("mark c", "FAILED"),
        ("mark b", "FAILED"),
        ("mark b", "COMPLETED"),
        ("mark c", "COMPLETED"),
    ]


@pytest.mark.parametrize("how", ["raise", "final"])
def test_it_is_told_by_its_own_name(tmp_path: Path, how: str) -> None:
    run = new_run(tmp_path, "cluster.kind=debug", "cluster.attempts=2")
    with pytest.raises(RunError, match=r"^mark b: job debug-\d+ failed") as error:
        launch(run, Mark("a"), Mark("b", 9, how), Mark("c"))
    assert "mark a" not in str(error.value)
    assert Mark("b").tries(run) == (2 if how == "raise" else 1)
    with pytest.raises(RunError, match=r"^mark b"):
        launch(run, Mark("a"), Mark("b", 9, how), Mark("c"))
    assert Mark("a").tries(run) == 1


def test_damage_that_one_of_several_finds_is_no_try_of_any(tmp_path: Path) -> None:
    run, marks = new_run(tmp_path, "cluster.kind=debug"), (Mark("a"), Mark("b", 1, "damaged"), Mark("c"))
    with new_launcher(run) as made:
        with pytest.raises(DamagedError, match="not what was written"):
            made(list(marks))  # type: ignore[arg-type]
        made(list(marks))  # type: ignore[arg-type]
    assert not made.failures
    assert [m.tries(run) for m in marks] == [1, 2, 1]


def test_a_killed_job_was_a_try_of_what_it_had_begun(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(f"mark {m}", f"marks/{m}") for m in "abc"], [0, 0, 0]), ["5"])

    def tries() -> list[bool]:
        return [was_a_try(run.directory, job) for job in submitted(run.directory)]

    assert tries() == [True, True, True], "one that cannot begin is not submitted for ever"
    take(leases(run.directory, "mark a"), ONE, lambda holder: False)
    assert tries() == [True, False, False]
    take(leases(run.directory, "mark b"), ONE, lambda holder: False)
    assert tries() == [True, True, False]
    work._note_failure(run, Mark("a"), replace(ONE, id="4"), OSError("x"))  # type: ignore[arg-type]
    assert tries() == [True, True, False], "how another job failed"
    work._note_failure(run, Mark("b"), ONE, OSError("x"))  # type: ignore[arg-type]
    assert tries() == [False, True, False]


@pytest.mark.slow
def test_a_job_killed_in_the_middle_of_its_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of this machine, which its second task kills."""
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    run, marks = new_run(tmp_path, "cluster.kind=local", "cluster.tasks_per_job=9"), (Mark("a"), Mark("b", 1, "kill"))
    made = launch(run, *marks, Mark("c"))
    assert made.failures == {"mark b": 1}
    assert [m.tries(run) for m in (*marks, Mark("c"))] == [1, 2, 1]
    assert [job.tasks for job in jobs_of(run.directory)][3:] == [("mark b",), ("mark c",)]
