"""Jobs without SLURM: leases, the book of submissions, and submitit's debug and local executors for real."""

from __future__ import annotations

import io
import os
import shlex
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from submitit.core.utils import DelayedSubmission

from coopt.core.blame import blamed
from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, DamagedError, ModelError, RunError
from coopt.driver.folder import default_name
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.slurm import work
from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.choose import make_launcher
from coopt.driver.slurm.executors import check_cluster, submit
from coopt.driver.slurm.jobs import cancel, error_of, jobs_of, leases, submitted
from coopt.driver.slurm.lease import Holder, newest, take
from coopt.driver.slurm.queue import QueueAwayError, SlurmQueue
from coopt.driver.slurm.scripts import kinds_of
from coopt.driver.slurm.work import Work
from coopt.driver.tasks import perform
from coopt.driver.tasks.perform import Tutors
from coopt.driver.tasks.progress import Display
from coopt.reports.plan import plan_table
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.driver.marks import Mark, new_launcher, new_run, perform_marks, program

ONE = Holder("slurm", "1", "node", 1, 0.0, 0.0)


@pytest.fixture(autouse=True)
def _marks_are_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "perform", perform_marks)


def test_a_lease_has_one_holder(tmp_path: Path) -> None:
    """Eight jobs at once find a dead holder: one of them gets the task."""
    take(tmp_path, ONE, lambda holder: False)
    got: list[Holder] = []
    jobs = [replace(ONE, id=str(k)) for k in range(2, 10)]
    threads = [
        threading.Thread(target=lambda me=me: got.append(take(tmp_path, me, lambda other: other.id != "1")))
        for me in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len({holder.id for holder in got}) == 1
    assert newest(tmp_path) == (2, got[0])


def test_a_requeued_job_keeps_its_lease(tmp_path: Path) -> None:
    again = replace(ONE, host="other", pid=9)
    assert take(tmp_path, ONE, lambda holder: True) == ONE
    assert take(tmp_path, again, lambda holder: True) == again
    assert newest(tmp_path)[0] == 1


def test_a_job_that_finds_the_task_taken_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(tmp_path)
    take(leases(run.directory, "mark a"), ONE, lambda holder: False)
    monkeypatch.setattr(SlurmQueue, "works", lambda self, holder, sure=False: True)
    Work(str(tmp_path), (Mark("a"),), "debug", 1)()
    assert Mark("a").tries(run) == 0


def test_the_cluster_is_no_part_of_a_run() -> None:
    plain, slurm = load_config(), load_config(profile="gpu", settings=["cluster.minutes=5"], cluster={"kind": "slurm"})
    assert slurm.cluster.gpus == 1
    assert slurm.cluster.minutes == 5  # a setting beats the profile
    assert default_name(plain) == default_name(slurm)


@pytest.mark.parametrize("name", ["dev", "cpu", "gpu"])
def test_shipped_profiles_are_valid(name: str) -> None:
    assert load_config(profile=name).cluster.cpus >= 1


def test_faults_of_a_profile_are_one_line(cli: Command, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown profile 'gpus'. Did you mean 'gpu'"):
        load_config(profile="gpus")
    (tmp_path / "mine.toml").write_text("partitoin = 'x'")
    with pytest.raises(ConfigError, match=r"unknown setting 'cluster\.partitoin'. Did you mean 'cluster\.partition'"):
        load_config(profile=str(tmp_path / "mine.toml"))
    done = cli("bench", "--cluster", "slum")
    assert done.code == 2
    assert "cluster.kind = 'slum'" in done.err


def test_slurm_is_missed_before_work_begins(cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cli("bench", "--smoke", "--cluster", "slurm")
    assert done.code == 2
    assert "sbatch and srun are not on this machine" in done.err


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("scontrol: fatal: Could not establish a configuration source", True),
        ("scontrol: error: fetch_config: DNS SRV lookup failed", True),
        ("slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)", False),
        ("", False),
    ],
)
def test_commands_without_a_cluster_are_told_before_work_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, refused: bool
) -> None:
    """A machine that is no login node may have them; a controller that is away is waited for."""
    for name, text in (("sbatch", "exit 0"), ("srun", "exit 0"), ("scontrol", f'echo "{said}" >&2; exit 1')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    cluster = load_config(cluster={"kind": "slurm"}).cluster
    if not refused:
        check_cluster(cluster)
        return
    with pytest.raises(ConfigError, match=r"knows of no cluster \(.*\)\. Start on a login node, or set SLURM_CONF"):
        check_cluster(cluster)


@pytest.mark.parametrize("kind", ["none", "slurm"])
def test_a_plan_for_a_cluster_counts_what_its_jobs_cost_more(tmp_path: Path, kind: str) -> None:
    """Each starts Python anew; whose speeds it has and what is not in its time is said."""
    config = load_config(smoke=True, methods=("sdpo",), cluster={"kind": kind})
    plan, warm = (Plan(Run(tmp_path, c), REFERENCE, 2) for c in (config, load_config(smoke=True, methods=("sdpo",))))
    jobs = sum(found.jobs for found in kinds_of(plan.run, plan.lists(), 2, plan.seconds))
    assert jobs < len(list(plan.tasks()))
    assert plan.worker_seconds() - warm.worker_seconds() == pytest.approx(10 * jobs if kind == "slurm" else 0)
    notes = " ".join(plan_table(plan).notes)
    assert ("time in the queue comes on top" in notes) == (kind == "slurm")


def test_debug_jobs_are_tried_again(tmp_path: Path) -> None:
    run, task = new_run(tmp_path, "cluster.kind=debug", "cluster.tasks_per_job=1"), Mark("a", failures=2)
    with new_launcher(run) as launch:
        launch([task, Mark("b")])
    assert task.tries(run) == 3
    assert [(j.task, j.attempt, j.state) for j in jobs_of(run.directory)] == [
        ("mark a", 1, "FAILED"),
        ("mark a", 2, "FAILED"),
        ("mark a", 3, "COMPLETED"),
        ("mark b", 1, "COMPLETED"),
    ]


def test_the_last_failure_stops_the_run_and_the_next_command_tries_anew(tmp_path: Path) -> None:
    run, task = new_run(tmp_path, "cluster.kind=debug", "cluster.attempts=2"), Mark("a", failures=3)
    with new_launcher(run) as launch, pytest.raises(RunError) as error:
        launch([task])
    said = str(error.value)
    assert "mark a: job debug-" in said
    assert "failed, 2 times: OSError: torn weights. At fault: tutor s2." in said
    assert "run the same command again" in said
    with new_launcher(run) as launch:
        launch([task])
    assert task.tries(run) == 4


def test_unreadable_weights_of_a_tutor_are_its_fault(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with pytest.raises(ModelError) as error:
        Tutors(new_run(tmp_path), "opcod", 0)._load("s2", gone)
    assert blamed(error.value) == f"tutor s2, its weights {gone}"


def test_a_users_error_is_not_tried_again(tmp_path: Path) -> None:
    run, task = new_run(tmp_path, "cluster.kind=debug"), Mark("a", failures=1, how="final")
    with new_launcher(run) as launch, pytest.raises(RunError, match=r"failed: no such model."):
        launch([task])
    assert task.tries(run) == 1


def test_damage_that_a_job_finds_comes_back_as_what_it_is(tmp_path: Path) -> None:
    """So that the driver takes the damaged output away, and comes again with the same task."""
    run = new_run(tmp_path / "run", "cluster.kind=debug")
    task: Any = Mark("a", 1, "damaged")
    with new_launcher(run) as launch:
        with pytest.raises(DamagedError, match="not what was written") as said:
            launch([task])
        assert said.value.output == (run.directory / "weights").resolve()
        launch([task])
    assert task.tries(run) == 2


@pytest.mark.slow
def test_local_jobs_a_killed_one_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    run, dies = new_run(tmp_path, "cluster.kind=local"), Mark("dies", failures=1, how="kill")
    with new_launcher(run) as launch:
        launch([dies, Mark("b")])
    assert dies.tries(run) == 2
    assert Mark("b").tries(run) == 1
    assert jobs_of(run.directory)[0].state == "FAILED"
    assert newest(leases(run.directory, "mark dies"))[0] == 2


def test_a_submission_that_was_not_written_down_is_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver was killed after sbatch: its array gets its ids, and the work that submitit had not handed over."""
    run = new_run(tmp_path, "cluster.kind=slurm")
    batch = Batches(run.directory).open("slurm", [("mark a", "marks/a"), ("mark b", "marks/b")])
    monkeypatch.setattr(SlurmQueue, "find", lambda self, name, since: "77" if name == batch["name"] else None)
    made = new_launcher(run)
    made._logs.mkdir(parents=True)
    made._adopt({task.label(): task for task in (Mark("a"), Mark("b"))})
    assert [(j.task, j.id) for j in submitted(run.directory)] == [("mark a", "77_0"), ("mark b", "77_1")]
    handed = DelayedSubmission.load(made._logs / "77_1_submitted.pkl")
    assert handed.function.tasks == (Mark("b"),)


def test_names_say_run_task_and_attempt(tmp_path: Path) -> None:
    batches = Batches(tmp_path / "mine")
    first = batches.open("slurm", [("seed 0 opcod round 1 s1", "a"), ("seed 0 opcod round 1 s2", "b")])
    again = batches.open("slurm", [("seed 0 opcod round 1 s2", "b")])
    assert first["name"].startswith("coopt.mine.seed_0_opcod_round_1.a1.")
    assert again["name"].startswith("coopt.mine.seed_0_opcod_round_1_s2.a2.")
    of_a_sweep = Batches(tmp_path / "pairs/phys-chem/seed-3").open("slurm", [("seed 3 specialist s1", "a")])
    assert of_a_sweep["name"].startswith("coopt.pairs.phys-chem.seed-3.seed_3_specialist_s1.a1.")


def test_cancel_ends_a_sweep_and_logs_show_jobs_that_never_trained(cli: Command, tmp_path: Path) -> None:
    """SLURM's programs are stand-ins that know every job, and say what they were told to end."""
    for k in (0, 1):
        batches = Batches(new_run(tmp_path / f"pairs/a/seed-{k}").directory)
        batches.close(batches.open("slurm", [(f"seed {k} specialist s1", "x")]), [str(k)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        program(tmp_path, "squeue", "echo '0|RUNNING'; echo '1|PENDING'")
        program(tmp_path, "scancel", f'echo "$@" >> {tmp_path}/ended')
        assert "seed 0 specialist s1: job 0 RUNNING: " in cli("logs", "pairs/a/seed-0").out
        assert cli("cancel", "pairs").out == (
            "cancelled slurm job 0: pairs/a/seed-0: seed 0 specialist s1\n"
            "cancelled slurm job 1: pairs/a/seed-1: seed 1 specialist s1\n"
        )
    assert (tmp_path / "ended").read_text() == "0\n1\n"
    nothing = cli("cancel", "nowhere")
    assert (nothing.code, "nowhere: no run here" in nothing.err) == (2, True)


def test_workers_do_not_do_what_jobs_are_doing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = new_run(tmp_path)
    batches = Batches(run.directory)
    batches.close(batches.open("slurm", [("mark a", "marks/a")]), ["5"])
    monkeypatch.setattr(SlurmQueue, "states", lambda self, ids: dict.fromkeys(ids, "RUNNING"))
    ended: list[str] = []
    monkeypatch.setattr(SlurmQueue, "cancel", lambda self, ids: ended.extend(ids))
    with pytest.raises(RunError, match=r"1 jobs of this run are waiting or running \(slurm 5\)"):
        make_launcher(run, 1, Display(Console(file=io.StringIO()), 1.0, lambda task: 1.0))
    assert [job.id for job in cancel(run.directory)] == ["5"] == ended


def test_jobs_start_python_as_the_profile_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "srun", "exit 0")
    program(tmp_path, "sbatch", f'for script; do :; done; cp "$script" {tmp_path}/script; echo Submitted batch job 7')
    scripts = []
    for settings in [(), ("cluster.python=apptainer exec --nv my.sif python",)]:
        run = new_run(tmp_path, "cluster.kind=slurm", *settings)
        submit(run.config.cluster, tmp_path / "jobs", "name", [Work(str(tmp_path), (Mark("a"),), "slurm", 1)])  # type: ignore[arg-type]
        scripts.append((tmp_path / "script").read_text().splitlines()[-1])
    assert f"coopt {shlex.quote(sys.executable)} -u -m submitit" in scripts[0]
    assert "coopt apptainer exec --nv my.sif python -u -m submitit" in scripts[1]


def test_states_come_from_squeue_then_sacct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "squeue", "echo '1_0|RUNNING'; echo '1_1|PENDING'; echo '9|RUNNING'")
    program(tmp_path, "sacct", "echo '2|CANCELLED by 1000'")
    found = SlurmQueue().states(["1_0", "1_1", "2", "3"])
    assert found == {"1_0": "RUNNING", "1_1": "PENDING", "2": "CANCELLED", "3": "UNKNOWN"}
    program(tmp_path, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(QueueAwayError, match="Unable to contact"):
        SlurmQueue().states(["1_0"])
    assert SlurmQueue().works(ONE)  # not known to have ended
    program(tmp_path, "squeue", "echo 'squeue: fatal: Could not establish a configuration source' >&2; exit 1")
    with pytest.raises(QueueAwayError, match="configuration source; ask on a login node, or set SLURM_CONF"):
        SlurmQueue().states(["1_0"])


def test_the_failure_of_another_job_is_not_this_ones(tmp_path: Path) -> None:
    run = new_run(tmp_path)
    work._note_failure(run, Mark("a"), ONE, OSError("x"))
    assert error_of(tmp_path, "mark a", "1") == {"error": "OSError: x", "fault": None, "final": False, "id": "1"}
    assert error_of(tmp_path, "mark a", "2") is None
