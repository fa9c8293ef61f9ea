"""Jobs of several tasks: students in lockstep are one job, whose tables are those of this machine, whatever befalls
it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from coopt import bench, load_config
from coopt.core import store
from coopt.core.config.schema import Config
from coopt.core.errors import RunError
from coopt.driver.slurm.jobs import Job, jobs_of, leases
from coopt.driver.slurm.lease import Holder, newest
from coopt.driver.tasks import perform
from coopt.methods.phase import Phase, train_phase
from tests.integration.conftest import LESS, SMOKE, Coopt, run_coopt, tables
from tests.integration.jobs import (
    frozen,
    process_of,
    released,
    shell,
    start,
    wait_until,
    when_at_step,
    without_training,
)  # fmt: skip

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(1500)]
STEPS = 12
SETTINGS = (
    "gate.kind=always", "model.weights=lora", "break_rate.questions=0", "rounds.rounds=1", f"rounds.steps={STEPS}",
    "rounds.checkpoint_every=2", "world.specialist_steps=4", "sampling.eval_samples=1",
)  # fmt: skip
RING = (
    *SMOKE, "--topology", "ring", "--nodes", "3", "--method", "opcod", "--workers", "1", "--out", "run",
    *(word for setting in SETTINGS for word in ("--set", setting)),
)  # fmt: skip
ON_SLURM = (*RING, "--profile", "dev")
LOCALLY = (*RING, "--cluster", "local", "--set", "cluster.poll_seconds=1")
TUTEES = tuple(f"seed 0 opcod round 1 s{k}" for k in (1, 2, 3))


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on this machine, all students in the lockstep of one worker."""
    folder = tmp_path_factory.mktemp("together")
    done = run_coopt(*RING, at=folder, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert "lockstep: the 3 students share one base, and write, teach and learn together\n" in done.stderr + done.stdout
    return folder / "run"


@pytest.fixture
def begun(together: Path, tmp_path: Path) -> Path:
    """The same run, all done but its training."""
    return without_training(together, tmp_path / "run")


def steps_of(run: Path, tutee: str) -> list[int]:
    return [line["step"] for line in store.read_lines(run / f"seeds/0/opcod/r1/{tutee}.steps.jsonl")]


def check_tables(run: Path, together: Path) -> None:
    assert tables(run) == tables(together)
    assert [steps_of(run, f"s{k}") for k in (1, 2, 3)] == [list(range(STEPS))] * 3


def training(run: Path) -> list[Job]:
    return [job for job in jobs_of(run) if job.task in TUTEES]


@pytest.mark.usefixtures("slurm")
def test_the_whole_bench_on_slurm(coopt: Coopt, together: Path, tmp_path: Path) -> None:
    planned = coopt(*ON_SLURM, "--dry-run")
    assert "write, teach and learn together, in one job" in planned.stdout
    done = coopt(*ON_SLURM, timeout=1200)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    check_tables(run, together)
    jobs = jobs_of(run)
    assert len({job.id for job in jobs if "specialist" not in job.task}) == 5, (
        "scores, scores, training, scores, scores"
    )
    assert [job.tasks for job in training(run)] == [TUTEES] * 3
    assert all(job.log.is_file() for job in jobs)
    for task in (job.task for job in jobs):
        number, holder = newest(leases(run, task))
        assert (number, holder and holder.id) == (1, next(job.id for job in jobs if job.task == task))


@pytest.mark.usefixtures("slurm")
def test_requeued_and_then_killed_on_slurm(coopt: Coopt, together: Path, begun: Path) -> None:
    """In the middle of the training of all three: the requeued job goes on as it was; after the kill each student has
    a job of its own, because one of them may be to blame."""
    driver = start(*ON_SLURM, at=begun.parent)
    with frozen(when_at_step(begun, TUTEES[0], 3)) as holder:
        warn(holder)
    wait_until(lambda: "Restarts=1" in released(holder.id))
    assert [job.tasks for job in training(begun)] == [TUTEES] * 3
    again = worker(begun, holder)
    wait_until(lambda: len(steps_of(begun, "s1")) >= 5)
    again.kill()
    assert driver.wait(timeout=900) == 0
    check_tables(begun, together)
    assert [(job.attempt, len(job.tasks)) for job in training(begun)] == [(1, 3)] * 3 + [(2, 1)] * 3


def warn(holder: Holder) -> None:
    """As SLURM does before it preempts a job."""
    assert shell("scancel", "--signal=USR2", holder.id).returncode == 0


def worker(run: Path, before: Holder) -> psutil.Process:
    """The Python of the job that runs, when there is just one: what it starts has its words until it becomes another
    program. ``before``: the process that the requeued job was, which its lease still names."""
    found: list[psutil.Process] = []

    def is_it(pid: int, words: list[str]) -> bool:
        ours = words[:1] == [sys.executable] and "submitit.core._submit" in words and words[-1] == f"{run}/jobs/logs"
        return ours and pid != before.pid

    def alone() -> bool:
        found[:] = [p for p in psutil.process_iter(["cmdline"]) if is_it(p.pid, p.info["cmdline"] or [])]
        return len(found) == 1

    wait_until(alone)
    return found[0]


def test_requeued_on_this_machine(together: Path, begun: Path) -> None:
    driver = start(*LOCALLY, at=begun.parent)
    holder = when_at_step(begun, TUTEES[0], 3)
    os.kill(process_of(holder).pid, signal.SIGUSR2)
    assert driver.wait(timeout=900) == 0
    check_tables(begun, together)
    assert [(job.attempt, job.tasks) for job in training(begun)] == [(1, TUTEES)] * 3
    log = training(begun)[0].log.with_suffix(".out")
    assert "Requeued job" in log.read_text() + training(begun)[0].log.read_text()


@contextmanager
def failing(tutee: str, step: int) -> Iterator[list[str]]:
    """The training of one student fails once, when it has done so many steps."""
    failed: list[str] = []

    def train(phase: Phase) -> None:
        steps: list[int] = []

        def on_step(tokens: int) -> None:
            steps.append(tokens)
            if phase.tutee.name == tutee and len(steps) >= step and not failed:
                failed.append(tutee)
                raise OSError("a disk went away")
            phase.on_step(tokens)

        train_phase(replace(phase, on_step=on_step))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perform, "train_phase", train)
        yield failed


def in_this_process(*settings: str) -> Config:
    cluster = ("cluster.kind=debug", "cluster.poll_seconds=0.5")
    return load_config(
        settings=[*LESS, *SETTINGS, *cluster, *settings], topology="ring", nodes=3, methods=("opcod",), smoke=True
    )


def test_a_student_that_fails_in_lockstep(together: Path, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by its name; the others go on from their checkpoints and lose no try."""
    monkeypatch.chdir(begun.parent)
    word = rf"^{TUTEES[1]}: job debug-\d+ failed: OSError: a disk went away"
    with failing("s2", 3), pytest.raises(RunError, match=word):
        bench(in_this_process("cluster.attempts=1"), begun, 1)
    assert min(len(steps_of(begun, name)) for name in ("s1", "s2", "s3")) >= 2
    with failing("s3", 4) as failed:
        bench(in_this_process(), begun, 1)
    assert failed == ["s3"]
    check_tables(begun, together)
    assert [job.tasks for job in training(begun)] == [TUTEES] * 6 + [(TUTEES[2],), *[TUTEES[:2]] * 2]
