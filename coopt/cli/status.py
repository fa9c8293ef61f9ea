"""``coopt status`` and ``coopt logs``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coopt.core.errors import ConfigError, RunError, unknown
from coopt.core.text import one_line

if TYPE_CHECKING:
    from coopt.core.tables.table import Table
    from coopt.runs.run import Run

_EVERY = 2.0  # seconds between two looks
_Phase = tuple[dict[str, Any], list[dict[str, Any]]]


def status(
    run: Annotated[Path | None, typer.Argument(help="A run, or a folder of runs. (default: runs)")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every two seconds, until the run ends.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write a page of curves so far and tasks.")] = False,
    out: Annotated[Path | None, typer.Option(help="File for --html. (default: RUN/status.html)")] = None,
) -> None:
    """How far runs are: rounds, tasks, speed, time left, errors.

    \b
    Examples:
      coopt status
      coopt status runs/NAME --watch
      coopt status runs/NAME --html --out now.html
      coopt status runs/sweeps/pairs
    """
    from coopt.core.tables.screen import output, renderables, show

    console, where = output(), run or Path("runs")
    if html:
        if watch:
            raise ConfigError("--html or --watch, not both. A page that grows with its run: coopt bench --live.")
        _page(where, out)
        return
    if out is not None:
        raise ConfigError("--out is for --html.")
    if not watch:
        show(_tables(where)[0], console)
        return
    from rich.console import Group
    from rich.live import Live

    with Live(console=console, auto_refresh=False) as live:
        going = True
        while going:
            tables, going = _tables(where)
            live.update(Group(*renderables(tables, console.width)), refresh=True)
            if going:
                time.sleep(_EVERY)


def _page(where: Path, out: Path | None) -> None:
    from coopt.driver.status import find_runs
    from coopt.reports.html.live import write_live
    from coopt.runs.run import Run, is_run

    if not is_run(where) and (found := find_runs(where)):
        raise RunError(f"--html shows one run; {where} holds {len(found)}, for example {found[0]}.")
    path = out or where / "status.html"
    status = write_live(Run.open(where), path)
    print(f"{path}: {status.word}, {100 * status.share:.0f} % of the tasks")


def _tables(where: Path) -> tuple[list[Table], bool]:
    """The tables of a run, or of all runs in a folder, and whether one is going on. Raises ``RunError``."""
    from coopt.driver.slurm.queue import glancing
    from coopt.driver.status import RunStatus, find_runs, run_status
    from coopt.reports.status import runs_table, status_tables
    from coopt.runs.run import Run, is_run

    if is_run(where):
        one = run_status(Run.open(where))
        return status_tables(one, time.time()), one.word == "running"
    found = find_runs(where)
    if not found:
        raise RunError(f"{where}: no runs here. coopt bench makes one under runs/; coopt sweep under runs/sweeps/.")
    statuses: list[tuple[str, RunStatus | ValueError]] = []
    with glancing():
        for path in found:
            try:
                status: RunStatus | ValueError = run_status(Run.open(path))
            except ValueError as error:  # one that cannot be read hides no other
                status = error
            statuses.append((str(path.relative_to(where)), status))
    return [runs_table(statuses)], any(isinstance(s, RunStatus) and s.word == "running" for _, s in statuses)


def logs(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    student: Annotated[str | None, typer.Argument(help="One student, step by step.")] = None,
    method: Annotated[str | None, typer.Option(help="Only this method.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only this run seed.")] = None,
    last: Annotated[int, typer.Option(min=1, help="Only the last steps of each round.")] = 1_000_000,
) -> None:
    """What training did: loss, reward, kept feedback, speed, gates; and where the logs of jobs are.

    \b
    Examples:
      coopt logs runs/NAME
      coopt logs runs/NAME s1 --method opcod --last 10
    """
    from coopt.core.tables.screen import output, show
    from coopt.driver.slurm.jobs import jobs_and_silence
    from coopt.driver.slurm.queue import glancing
    from coopt.reports.status import phases_table, silent, steps_table
    from coopt.runs.run import Run

    opened = Run.open(run)
    for what, given, allowed in (
        ("student", student, opened.topology.students),
        ("method", method, opened.config.methods),
        ("seed", None if seed is None else str(seed), map(str, opened.seeds)),
    ):
        allowed = list(allowed)
        if given is not None and given not in allowed:
            raise RunError(unknown(what, given, allowed, f"{run}: "))
    wanted = {"student": student, "method": method, "seed": seed}
    phases = [p for p in _phases(opened) if all(v is None or p[0][k] == v for k, v in wanted.items())]
    with glancing():
        every, silence = jobs_and_silence(run)
    jobs = [j for j in every if student is None or j.task.split()[-1] == student]
    if not phases and not jobs:
        raise RunError(f"{run}: nothing has been trained yet. coopt status {run} says how far it is.")
    console = output()
    if student is None and phases:
        show([phases_table(phases)], console)
    elif student is not None:
        show([steps_table(where, steps[-last:], _gates(opened, where)) for where, steps in phases], console)
    for job in jobs:
        console.print(one_line(f"{job.task}: job {job.id} {job.state}: {job.log}"), markup=False, soft_wrap=True)
    if silence:
        console.print(one_line(f"note: {silent(silence)}"), markup=False, soft_wrap=True)


def _phases(run: Run) -> Iterator[_Phase]:
    """(where, step records) of every phase that has begun."""
    for place in run.phases():
        steps = run.phase_files(*place).read_steps()
        if steps:
            seed, method, round_, student = place
            yield {"seed": seed, "method": method, "round": round_, "student": student}, steps


def _gates(run: Run, where: dict[str, Any]) -> list[str]:
    """The gates of the edges into a student in a round, one line each."""
    from coopt.graph.topology import Edge
    from coopt.runs.journal import round_key

    key = round_key(where["seed"], where["method"], where["round"])
    lines = []
    for edge, decision in run.journal().all("gates").get(key, {}).items():
        if Edge.parse(edge).tutee == where["student"]:
            gap = "" if decision["gap"] is None else f", gap {decision['gap']:.3f}"
            lines.append(f"gate {edge}: {'open' if decision['open'] else 'closed'} ({decision['reason']}{gap})")
    return lines
