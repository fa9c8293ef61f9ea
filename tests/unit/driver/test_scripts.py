"""The scripts of a dry run: submitit's own, to the letter what sbatch is then given; also where there is no SLURM."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.driver.plan.choose import make_plan
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.slurm.executors import submit
from coopt.driver.slurm.scripts import Kind, kinds_of
from coopt.driver.slurm.work import Work
from coopt.reports.jobs import jobs_table
from coopt.runs.run import Run
from tests.unit.conftest import Command

RANKS = ("parallel.ranks=2", "cluster.gpus=1", "cluster.setup=['module load cuda']", "cluster.parallel=3")


def kinds(directory: Path, *settings: str) -> list[Kind]:
    run = Run(directory, load_config(settings=["cluster.kind=slurm", *settings], smoke=True))
    plan = make_plan(run, 1)
    return kinds_of(run, plan.lists(), 1, plan.seconds)


def test_a_dry_run_shows_every_script_once_where_there_is_no_slurm(
    cli: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = [part for s in RANKS for part in ("--set", s)]
    done = cli("bench", "--smoke", "--cluster", "slurm", "--dry-run", *settings)
    assert done.code == 0, done.err
    assert done.out.count("#!/bin/bash") == 2
    for line in (
        "#SBATCH --gpus-per-node=2",
        "#SBATCH --array=0-1%2",
        "#SBATCH --ntasks-per-node=2",
        "module load cuda",
    ):
        assert line in done.out.splitlines()
    assert not (tmp_path / "runs").exists()
    plan = json.loads(cli("bench", "--smoke", "--cluster", "slurm", "--dry-run", "--json", *settings).out)
    jobs = [job for kind in plan["jobs"] for s in kind["submissions"] for job in s["jobs"]]
    assert sum(map(len, jobs)) == sum(row["tasks"] for row in plan["work"].values()) > len(jobs)
    assert cli("bench", "--smoke", "--cluster", "slurm").code == 2, "a run needs it"


def test_without_slurm_nothing_is_submitted_and_nothing_shown(cli: Command) -> None:
    for kind in ("none", "local"):
        assert "sbatch" not in cli("bench", "--smoke", "--cluster", kind, "--dry-run").out.lower()
    assert json.loads(cli("bench", "--smoke", "--dry-run", "--json").out)["jobs"] == []


@pytest.mark.parametrize("first", [0, -1])
def test_the_script_is_what_sbatch_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Of an array of one rank, and of one of two."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, script in {"srun": "exit 0", "sbatch": f'cp "$1" {tmp_path}/script; echo Submitted batch job 7'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    shown = kinds(tmp_path, *RANKS)[first].submissions[0]
    run = Run(tmp_path, load_config(settings=["cluster.kind=slurm", *RANKS], smoke=True))
    works = [Work(str(tmp_path), job, "slurm", 1, shown.ranks) for job in shown.jobs]
    submit(run.config.cluster, tmp_path / "jobs" / "logs", shown.name, works)
    assert (tmp_path / "script").read_text() == shown.script


def test_what_is_done_is_not_submitted(tmp_path: Path) -> None:
    before = kinds(tmp_path)
    first = before[0].submissions[0].tasks[0]
    run = Run(tmp_path, load_config(smoke=True))
    with store.new_directory(first.output(run)):
        pass
    assert kinds(tmp_path)[0].tasks == before[0].tasks - 1


def test_a_long_plan_stays_short(tmp_path: Path) -> None:
    """Forty seeds of eight students: still two scripts and two rows."""
    settings = ("topology=complete", "nodes=8", "seeds=40", *RANKS)
    found = kinds(tmp_path, *settings)
    assert [k.ranks for k in found] == [1, 2]
    run = Run(tmp_path, load_config(settings=["cluster.kind=slurm", *settings], smoke=True))
    table = jobs_table(make_plan(run, 1), found)
    assert len(table.rows) == 2
    assert re.search(r"2 GPUs, 2 cores, 8 GB, 60 min", table.rows[1][-1])


@pytest.mark.parametrize(
    ("settings", "note", "jobs"),
    [
        ([], "the 3 students share one base, and write, teach and learn together, in one job", [3]),
        (["--workers", "2"], "learn together, dealt over 2 jobs", [1, 2]),
        (["--set", "cluster.tasks_per_job=2"], "learn together, dealt over 2 jobs", [1, 2]),
        (["--set", "cluster.tasks_per_job=1"], "no lockstep: each student is a job (cluster.tasks_per_job=1)", [1] * 3),
    ],
)
def test_the_plan_says_who_is_trained_together(cli: Command, settings: list[str], note: str, jobs: list[int]) -> None:
    command = ["bench", "--smoke", "--cluster", "slurm", "--topology", "ring", "--nodes", "3", "--method", "opcod"]
    command += ["--set", "model.weights=lora", "--set", "rounds.rounds=1", *settings, "--dry-run"]
    assert note in " ".join(cli(*command).out.split())
    plan = json.loads(cli(*command, "--json").out)
    held = [job for kind in plan["jobs"] for s in kind["submissions"] for job in s["jobs"]]
    assert [len(job) for job in held if "opcod round 1 s" in job[0] and "scores" not in job[0]] == jobs


def test_a_list_takes_as_long_as_its_longest_job(tmp_path: Path) -> None:
    """On a cluster that has room for all of them."""
    cluster = ("cluster.kind=slurm", "topology=solo", "methods=['sdpo']", "rounds.rounds=1", "break_rate.questions=0")

    def plan(*settings: str) -> Plan:
        return Plan(Run(tmp_path, load_config(settings=[*cluster, *settings], smoke=True)), REFERENCE, 9)

    alone, together = plan("cluster.tasks_per_job=1"), plan("cluster.tasks_per_job=9")
    lists = [[alone.seconds(task) for task in tasks] for tasks in alone.lists()]
    assert max(map(len, lists)) > 1
    assert alone.wall_seconds() == pytest.approx(sum(10 + max(found) for found in lists))
    assert together.wall_seconds() == pytest.approx(sum(10 + sum(found) for found in lists))
    one_at_once = plan("cluster.tasks_per_job=1", "cluster.parallel=1")
    assert one_at_once.wall_seconds() == pytest.approx(alone.worker_seconds())
