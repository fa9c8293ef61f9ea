"""How jobs of several tasks are written down, found again, ended and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from submitit.core.utils import DelayedSubmission

from coopt.core import store
from coopt.core.errors import DamagedError
from coopt.driver.folder import locked
from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.executors import mend
from coopt.driver.slurm.jobs import cancel, jobs_of, leases, submitted
from coopt.driver.slurm.lease import Holder, take
from coopt.driver.slurm.queue import SlurmQueue
from coopt.driver.slurm.work import Work
from coopt.driver.status import run_status
from coopt.driver.tasks.task import Score
from tests.unit.conftest import Command
from tests.unit.driver.marks import Mark, new_launcher, new_run, program

ONE = Holder("slurm", "5", "node", 1, 0.0, 0.0)


def test_each_task_has_the_id_and_the_log_of_its_job(tmp_path: Path) -> None:
    batches = Batches(new_run(tmp_path).directory)
    batches.close(batches.open("slurm", [(f"mark {m}", f"marks/{m}") for m in "abc"], [0, 0, 1]), ["7_0", "7_1"])
    found = [(job.task, job.id, job.log.name, job.tasks) for job in submitted(tmp_path)]
    assert found == [
        ("mark a", "7_0", "7_0_0_log.err", ("mark a", "mark b")),
        ("mark b", "7_0", "7_0_0_log.err", ("mark a", "mark b")),
        ("mark c", "7_1", "7_1_0_log.err", ("mark c",)),
    ]


def batch(tmp_path: Path, places: list[int | None], ids: list[str] | None) -> None:
    tasks = [
        {"task": f"mark {k}", "attempt": 1, "output": f"marks/{k}"} | ({} if place is None else {"job": place})
        for k, place in enumerate(places)
    ]
    record = {"name": "x", "kind": "slurm", "time": 0.0, "tasks": tasks, "ids": ids}
    store.write_json(tmp_path / "jobs/batches/0001.json", record)


def test_records_without_places_are_one_task_a_job(tmp_path: Path) -> None:
    batch(tmp_path, [None, None], ["7_0", "7_1"])
    assert [(job.id, job.tasks) for job in submitted(tmp_path)] == [("7_0", ("mark 0",)), ("7_1", ("mark 1",))]


@pytest.mark.parametrize(
    ("places", "ids"), [([0, 2], ["7_0", "7_1"]), ([0, 0], ["7_0", "7_1"]), ([0, 1], ["7"]), ([1], None)]
)
def test_records_that_do_not_fit_are_refused(tmp_path: Path, places: list[int | None], ids: list[str] | None) -> None:
    batch(tmp_path, places, ids)
    with pytest.raises(DamagedError, match=r"0001\.json"):
        submitted(tmp_path)


def test_jobs_whose_number_nobody_heard_are_found_with_all_their_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, "cluster.kind=slurm", "cluster.timeouts=4")
    marks = {f"mark {m}": Mark(m) for m in "bc"}  # a is done
    batch = Batches(run.directory).open("slurm", [(f"mark {m}", f"marks/{m}") for m in "abc"], [0, 0, 1])
    monkeypatch.setattr(SlurmQueue, "find", lambda self, name, since: "77" if name == batch["name"] else None)
    made = new_launcher(run)
    made._logs.mkdir(parents=True)
    assert made._adopt(marks) == set()  # type: ignore[arg-type]
    assert [(job.task, job.id) for job in submitted(run.directory)] == [
        ("mark a", "77_0"), ("mark b", "77_0"), ("mark c", "77_1"),
    ]  # fmt: skip
    handed: list[Any] = [DelayedSubmission.load(made._logs / f"77_{k}_submitted.pkl").function for k in (0, 1)]
    assert [work.tasks for work in handed] == [(Mark("b"),), (Mark("c"),)]


def test_a_job_may_be_out_of_time_as_often_as_its_tasks_together(tmp_path: Path) -> None:
    run = new_run(tmp_path, "cluster.timeouts=4")
    mend(tmp_path, "5", Work(str(tmp_path), (Mark("a"), Mark("b"), Mark("c")), "slurm", 1), run.config.cluster)  # type: ignore[arg-type]
    assert DelayedSubmission.load(tmp_path / "5_submitted.pkl")._timeout_countdown == 12


def test_cancel_ends_a_job_once_and_tells_what_it_had_left(
    tmp_path: Path, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path / "mine")
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(f"mark {m}", f"marks/{m}") for m in "abc"], [0, 0, 0]), ["5"])
    store.write_text(Mark("a").output(run), "done")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "squeue", "echo '5|RUNNING'")
    program(tmp_path, "scancel", f'echo "$@" >> {tmp_path}/ended')
    assert [job.state for job in jobs_of(run.directory)] == ["COMPLETED", "RUNNING", "RUNNING"]
    assert cli("cancel", "mine").out == "".join(f"cancelled slurm job 5: mine: mark {m}\n" for m in "bc")
    assert (tmp_path / "ended").read_text() == "5\n"
    assert [job.task for job in cancel(run.directory)] == ["mark b", "mark c"]


def test_of_a_running_job_the_tasks_that_it_has_begun_are_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(tmp_path, "cluster.kind=slurm")
    tasks = [Score(0, "init", 0, name, "validation") for name in ("s1", "s2")]
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [(t.label(), "x") for t in tasks], [0, 0]), ["5"])
    take(leases(run.directory, tasks[0].label()), ONE, lambda holder: False)
    monkeypatch.setattr(SlurmQueue, "states", lambda self, ids: dict.fromkeys(ids, "RUNNING"))
    with locked(run.directory):
        words = {t.task: t.word for t in run_status(run).tasks}
    assert [words[task] for task in tasks] == ["running", "waiting"]
