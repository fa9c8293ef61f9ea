"""A real SLURM (slurm/dev-cluster): the tables are those of this machine, whatever befalls jobs and driver."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from coopt.core import store
from coopt.driver.folder import is_locked
from coopt.driver.slurm.jobs import jobs_of, leases
from coopt.driver.slurm.lease import newest
from tests.integration.conftest import SMOKE, Coopt, run_coopt, tables
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
STEPS = 16
SMALL = (
    *SMOKE, "--method", "opcod", "--set", "gate.kind=always", "--set", "break_rate.questions=0",
    "--set", "rounds.rounds=1", "--set", f"rounds.steps={STEPS}", "--set", "rounds.checkpoint_every=2",
    "--set", "world.specialist_steps=4", "--set", "sampling.eval_samples=1",
)  # fmt: skip
# A job for each task and a node for each job, so that only the job that is meant is preempted.
ON_SLURM = (
    *SMALL, "--out", "run", "--profile", "dev", "--set", "cluster.options={exclusive=true}",
    "--set", "cluster.tasks_per_job=1",
)  # fmt: skip
TUTEES = ("seed 0 opcod round 1 s1", "seed 0 opcod round 1 s2")
SUITE = """
question = "Does a sweep run as jobs?"
seeds = 2
[base]
smoke = true
topology = "solo"
methods = ["sdpo"]
rounds.rounds = 1
rounds.steps = 16
sampling.eval_samples = 1
world.specialist_steps = 4
[[arms]]
name = "alone"
"""


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on this machine, in worker processes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run_coopt(*SMALL, "--out", "run", "--workers", "2", at=folder, timeout=1200)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def begun(undisturbed: Path, tmp_path: Path) -> Path:
    """The same run, all done but its training."""
    return without_training(undisturbed, tmp_path / "run")


@pytest.mark.usefixtures("slurm")
def test_killed_between_a_submission_and_its_journal_line_nothing_runs_twice(
    coopt: Coopt, undisturbed: Path, tmp_path: Path
) -> None:
    """The whole bench; its second driver is a SLURM job itself."""
    killed = coopt(*ON_SLURM, timeout=1200, COOPT_KILL_AT="submitted")
    assert killed.returncode == -signal.SIGKILL
    batches = sorted((tmp_path / "run/jobs/batches").iterdir())
    assert [store.read_json(b)["ids"] for b in batches] == [None]
    driver = f"{sys.executable} -m coopt {' '.join(map(repr, ON_SLURM))}"
    done = shell(
        "sbatch", "--wait", "--mem=1500M", "--cpus-per-task=1", "-o", "driver.log", "--wrap", driver, at=tmp_path
    )
    assert done.returncode == 0, (tmp_path / "driver.log").read_text()
    assert tables(tmp_path / "run") == tables(undisturbed)
    jobs = jobs_of(tmp_path / "run")
    assert len(jobs) == len({job.task for job in jobs}) == 13
    assert {job.state for job in jobs} <= {"COMPLETED", "COMPLETING", "RUNNING"}  # the last may be ending still
    assert {newest(leases(tmp_path / "run", job.task))[0] for job in jobs} == {1}


@pytest.mark.usefixtures("slurm")
def test_preempted_out_of_time_and_without_a_driver(coopt: Coopt, undisturbed: Path, begun: Path) -> None:
    """In the middle of a phase: the driver is killed, one tutee is preempted, the other runs out of time."""
    driver = start(*ON_SLURM, "--set", "cluster.signal_seconds=30", at=begun.parent)
    preempted, timed_out = (when_at_step(begun, task, 3) for task in TUTEES)
    with frozen(preempted), frozen(timed_out):
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()
        node = shell("squeue", "-h", "-j", preempted.id, "-o", "%N").stdout.strip()
        shell("sbatch", "-p", "high", "-w", node, "--exclusive", "-o", "/dev/null", "--wrap", "true")
        # SLURM looks at time limits every 30 s, and warns `signal_seconds` and up to 30 s before the end.
        end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 45))
        assert shell("scontrol", "update", f"jobid={timed_out.id}", f"EndTime={end}").returncode == 0
        for holder in (preempted, timed_out):
            wait_until(lambda id_=holder.id: "Restarts=1" in released(id_))
        # The end was brought forward by a shorter limit, which the next try would have too.
        assert shell("scontrol", "update", f"jobid={timed_out.id}", "TimeLimit=20").returncode == 0
    done = coopt(*ON_SLURM, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert tables(begun) == tables(undisturbed)
    jobs = [job for job in jobs_of(begun) if job.task in TUTEES]
    assert [job.attempt for job in jobs] == [1, 1]
    for task, tutee in zip(TUTEES, ("s1", "s2"), strict=True):
        assert newest(leases(begun, task))[0] == 1
        steps = [line["step"] for line in store.read_lines(begun / f"seeds/0/opcod/r1/{tutee}.steps.jsonl")]
        assert steps == list(range(STEPS))


@pytest.mark.usefixtures("slurm")
def test_a_job_that_dies_is_tried_again_and_one_that_always_dies_stops_the_run(
    coopt: Coopt, undisturbed: Path, begun: Path
) -> None:
    """Jobs kill themselves with SIGKILL at their third step; without that the same command goes on from there."""
    stopped = coopt(*ON_SLURM, "--set", "cluster.attempts=2", timeout=1200, COOPT_KILL_AT="step:3")
    assert stopped.returncode == 2, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert "failed, 2 times" in stopped.stderr
    assert "run the same command again" in stopped.stderr
    assert max(newest(leases(begun, task))[0] for task in TUTEES) == 2
    done = coopt(*ON_SLURM, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert tables(begun) == tables(undisturbed)


@pytest.mark.usefixtures("slurm")
def test_a_while_without_slurmctld_stops_nothing(undisturbed: Path, begun: Path) -> None:
    """It is away when the driver wants to submit, and again while the jobs train."""
    with without_slurmctld():
        driver = start(*ON_SLURM, at=begun.parent)
        wait_until(lambda: list((begun / "jobs/batches").glob("*.json")) != [])
        time.sleep(15)
        assert driver.poll() is None
    when_at_step(begun, TUTEES[0], 1)
    with without_slurmctld():
        time.sleep(15)
    assert driver.wait(timeout=900) == 0
    assert tables(begun) == tables(undisturbed)
    assert [job.attempt for job in jobs_of(begun) if job.task in TUTEES] == [1, 1]


@pytest.mark.usefixtures("slurm")
def test_a_killed_rank_of_a_job_is_tried_again(tmp_path: Path) -> None:
    driver = start(*ON_SLURM, "--set", "parallel.ranks=2", at=tmp_path)
    run = tmp_path / "run"
    process_of(when_at_step(run, TUTEES[0], 3)).kill()
    assert driver.wait(timeout=900) == 0
    assert newest(leases(run, TUTEES[0]))[0] == 2
    for tutee in ("s1", "s2"):
        steps = [line["step"] for line in store.read_lines(run / f"seeds/0/opcod/r1/{tutee}.steps.jsonl")]
        assert steps == list(range(STEPS))
        assert len(list((run / f"seeds/0/opcod/r1/{tutee}/state").glob("*.safetensors"))) == 2


@pytest.mark.usefixtures("slurm")
def test_cancel_ends_the_jobs(coopt: Coopt, begun: Path) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-m", "coopt", *ON_SLURM], cwd=begun.parent, stderr=subprocess.PIPE, text=True
    )
    when_at_step(begun, TUTEES[0], 1)
    done = coopt("cancel", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("cancelled slurm job") == 2
    assert "cancelled" in driver.communicate(timeout=600)[1]
    assert driver.returncode == 2
    wait_until(lambda: not any(job.live for job in jobs_of(begun)))


@pytest.mark.usefixtures("slurm")
def test_a_sweep_goes_on_after_ctrl_c_a_kill_and_a_cancelled_run(coopt: Coopt, tmp_path: Path) -> None:
    """Both benches train when it happens; the jobs do not mind, and the sweep's tables are those of this machine."""
    (tmp_path / "mine.toml").write_text(SUITE)
    here = coopt("sweep", "mine.toml", "--out", "here", "--workers", "1")
    assert here.returncode == 0, here.stderr
    runs = [without_training(tmp_path / f"here/alone/seed-{k}", tmp_path / f"there/alone/seed-{k}") for k in (0, 1)]
    tasks = [f"seed {k} sdpo round 1 s1" for k in (0, 1)]
    sweep = ("sweep", "mine.toml", "--out", "there", "--jobs", "2", "--profile", "dev")

    interrupted = start(*sweep, at=tmp_path)
    with frozen(when_at_step(runs[0], tasks[0], 1)) as first, frozen(when_at_step(runs[1], tasks[1], 1)) as second:
        for k, holder in enumerate((first, second)):
            name = shell("squeue", "-h", "-j", holder.id, "-o", "%j %T").stdout
            assert re.fullmatch(rf"coopt\.there\.alone\.seed-{k}\.seed_{k}_sdpo_round_1_s1\.a1\.\w+ RUNNING\n", name)
        rows = [line.split() for line in coopt("status", "there").stdout.splitlines()]
        assert [row[:2] for row in rows if row[:1] and "seed-" in row[0]] == [
            ["alone/seed-0", "running"], ["alone/seed-1", "running"]
        ]  # fmt: skip
        os.killpg(interrupted.pid, signal.SIGINT)
        assert interrupted.wait(timeout=60) == 130
        wait_until(lambda: not any(map(is_locked, runs)))

        killed = start(*sweep, at=tmp_path)
        wait_until(lambda: all(map(is_locked, runs)))
        killed.kill()
        wait_until(lambda: not any(map(is_locked, runs)))  # its benches end with it
        assert [[job.state for job in jobs_of(run)] for run in runs] == [["RUNNING"], ["RUNNING"]]
        cancelled = coopt("cancel", "there/alone/seed-0")
        assert cancelled.stdout == f"cancelled slurm job {first.id}: there/alone/seed-0: {tasks[0]}\n"
        process_of(first).kill()  # as SLURM does after some seconds, in which the job could come to its end
    done = coopt(*sweep, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert shown(done.stdout) == shown(here.stdout)
    for k, run in enumerate(runs):
        assert tables(run) == tables(tmp_path / f"here/alone/seed-{k}")
    tries = [[job.attempt for job in jobs_of(run) if "sdpo round 1 s1" in job.task] for run in runs]
    assert tries == [[1, 2], [1]], "what was not cancelled was not done again"
    logs = coopt("logs", "there/alone/seed-0", "s1").stdout
    assert logs.count(f"{tasks[0]}: job ") == 2
    for job in jobs_of(runs[0]):
        assert job.log.is_file()


@contextmanager
def without_slurmctld() -> Iterator[None]:
    """Its jobs go on; nobody can ask for them."""
    pid_file = Path(os.environ["COOPT_SLURM_ROOT"]) / "run/slurmctld.pid"
    daemon = psutil.Process(int(pid_file.read_text()))
    assert daemon.name() == "slurmctld", "a file of one that has ended"
    daemon.terminate()
    wait_until(lambda: "UP" not in shell("scontrol", "ping").stdout, 60)
    try:
        yield
    finally:
        path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
        subprocess.run(["slurmctld"], env=os.environ | {"PATH": path}, timeout=60, check=True)
        wait_until(lambda: "UP" in shell("scontrol", "ping").stdout, 60)


def shown(output: str) -> str:
    """The tables that a sweep printed, without its plan and its times."""
    return output[output.index("Arms") :]


@pytest.mark.usefixtures("slurm")
def test_two_ranks_a_tutee_with_rollouts_and_feedback_by_vllm(coopt: Coopt, tmp_path: Path) -> None:
    """The whole sentence at once: SLURM, FSDP2, vLLM."""
    done = coopt(
        "bench", "--topology", "pair", "--domains", "phys,chem", "--smoke", "--engine", "vllm", "--cluster", "slurm",
        "--profile", "dev", "--method", "opcod", "--out", "run", "--set", "parallel.ranks=2",
        "--set", "gate.kind=always", "--set", "break_rate.questions=0", "--set", "rounds.rounds=1", timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for tutee in ("s1", "s2"):
        folder = tmp_path / "run/seeds/0/opcod/r1"
        steps = store.read_lines(folder / f"{tutee}.steps.jsonl")
        assert all(s["importance"]["mean"] == pytest.approx(1, abs=1e-3) for s in steps), "log-probs are vLLM's"
        assert all(s["tokens"]["feedback"] > 0 for s in steps)
        assert len(list((folder / tutee / "state").glob("*.safetensors"))) == 2, "each rank wrote its shards"
