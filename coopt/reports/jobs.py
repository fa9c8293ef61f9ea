"""The jobs that a run would submit: a table, and each script once."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from coopt.core.config.cluster import ClusterConfig
from coopt.core.tables.screen import show
from coopt.core.tables.table import Table
from coopt.core.text import visible
from coopt.driver.plan.plan import Plan
from coopt.driver.slurm.scripts import Kind, kinds_of


def show_scripts(plan: Plan, console: Console) -> None:
    """What sbatch would be given, as it is: lines of a script are not broken. Nothing for a run without SLURM."""
    kinds = _kinds(plan)
    if not kinds:
        return
    show([jobs_table(plan, kinds)], console)
    for k, kind in enumerate(kinds, 1):
        script = visible(kind.submissions[0].script, kept="\n")
        _plainly(console, f"Script {k} of {len(kinds)}, of {kind.submissions[0].name}:\n\n{script}")


def jobs_table(plan: Plan, kinds: list[Kind]) -> Table:
    """Submissions and jobs by script, and what a job asks for."""
    cluster = plan.run.config.cluster
    rows = [
        [
            *(str(k), ", ".join(kind.work), str(len(kind.submissions)), _sizes(kind), str(kind.jobs), str(kind.tasks)),
            _asks(cluster, kind),
        ]
        for k, kind in enumerate(kinds, 1)
    ]
    notes = [
        "Scripts are those of a first attempt, each shown for its first submission; others differ in the job's name and"
        " the array's size. TOKEN: new for each submission.",
        "Students in lockstep are one job, and tasks that are short by this plan share jobs (cluster.tasks_per_job).",
        "Planned with every gate open and every student trained to the end: a run may submit fewer jobs.",
    ]
    columns = ["script", "for", "submissions", "jobs in each", "jobs", "tasks", "each job asks for"]
    return Table("Jobs", columns, rows, notes)


def jobs_data(plan: Plan) -> list[dict[str, Any]]:
    """The same for programs; of each job its tasks."""
    return [
        {
            "work": kind.work,
            "ranks": kind.ranks,
            "submissions": [
                {"name": s.name, "jobs": [[t.label() for t in job] for job in s.jobs]} for s in kind.submissions
            ],
            "script": kind.submissions[0].script,
        }
        for kind in _kinds(plan)
    ]


def _kinds(plan: Plan) -> list[Kind]:
    if plan.run.config.cluster.kind != "slurm":
        return []
    return kinds_of(plan.run, plan.lists(), plan.workers, plan.seconds)


def _sizes(kind: Kind) -> str:
    few, many = kind.arrays[0], kind.arrays[-1]
    return str(few) if few == many else f"{few} to {many}"


def _asks(cluster: ClusterConfig, kind: Kind) -> str:
    r = kind.ranks
    asked = [(cluster.gpus * r, "GPU"), (cluster.cpus * r, "core")]
    counts = [f"{n} {what}{'s' * (n > 1)}" for n, what in asked if n]
    return ", ".join([*counts, f"{cluster.memory_gb * r:g} GB", f"{cluster.minutes} min"])


def _plainly(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
