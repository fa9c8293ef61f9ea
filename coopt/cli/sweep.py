"""``coopt sweep``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from coopt.cli.bench import cluster_flag
from coopt.core.errors import ConfigError, RunError, unknown
from coopt.core.text import one_line

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.driver.sweep.cells import Cell
    from coopt.driver.sweep.drive import CellEnd
    from coopt.driver.sweep.estimate import TimeEstimate

SWEEPS = Path("runs") / "sweeps"
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def sweep(
    suite: Annotated[str | None, typer.Argument(help="A shipped suite (--list), or a suite file.")] = None,
    budget: Annotated[str | None, typer.Option(help="Start only what fits into this time: 30m, 2h, 90s.")] = None,
    jobs: Annotated[int, typer.Option(help="Benches to run at once. A single one uses all cores.")] = 1,
    workers: Annotated[int | None, typer.Option(help="Worker processes of each bench.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would run, in order, and stop.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Only print the tables of finished benches.")] = False,
    style: Annotated[str, typer.Option("--format", help="Table format: rich, md, csv, json or latex.")] = "rich",
    list_: Annotated[bool, typer.Option("--list", help="List the shipped suites, what they ask and cost.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="Every arm with its preset's smoke settings.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any setting of every arm: key=value.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Run each bench's tasks as jobs: slurm, local, debug.")] = None,
    profile: Annotated[str | None, typer.Option(help="The cluster's settings, as in coopt bench.")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="As in coopt bench, for every bench.")] = False,
    out: Annotated[Path | None, typer.Option(help="The sweep's folder. (default: runs/sweeps/SUITE)")] = None,
    archive: Annotated[
        Path | None,
        typer.Option(help="Keep each finished bench there as a small file, and take from there what is missing here."),
    ] = None,
) -> None:
    """Run the benches of a suite that are missing, then compare its arms.

    \b
    Examples:
      coopt sweep --list
      coopt sweep pairs --dry-run
      coopt sweep pairs --budget 30m
      coopt sweep mine.toml --jobs 8 --cluster slurm --profile gpu
      coopt sweep pairs --table --format md
      coopt sweep pairs --archive results/pairs
    """
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import FORMATS

    if style not in FORMATS:
        raise ConfigError(unknown("format", style, FORMATS))
    if list_:
        from coopt.reports.sweep import suite_table

        show([suite_table(_shipped())], output())
        return
    if suite is None:
        raise ConfigError("coopt sweep needs a suite. The shipped ones: coopt sweep --list.")
    if jobs < 1 or (workers is not None and workers < 1):
        raise ConfigError("--jobs and --workers must be at least 1.")
    seconds = None if budget is None else parse_budget(budget)
    cells, question = _cells(suite, smoke, settings or [], out)
    if archive is not None:
        if archive.exists() and not archive.is_dir():
            raise ConfigError(f"--archive {archive}: is a file. Give a folder; it is made if it is not there.")
        _bring(cells, archive)
    if table:
        _show_tables(cells, style)
        return
    count = _workers(workers, cluster, profile, dry_run=dry_run)
    extra = [*_extra(workers, cluster, profile), *["--trust"] * trust]
    outcomes = _sweep(suite, question, cells, seconds, jobs, count, extra, archive, dry_run=dry_run)
    if dry_run:
        return
    _show_tables(cells, style)
    _finish(outcomes, extra, Console(stderr=True, soft_wrap=True))


def parse_budget(text: str) -> float:
    """Seconds of ``30m``, ``2h`` or ``90s``. Raises ``ConfigError``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found:
        raise ConfigError(f"--budget {text}: give a number and s, m or h, for example 30m.")
    return float(found[1]) * _UNITS[found[2]]


def _cells(suite: str, smoke: bool, settings: Sequence[str], out: Path | None) -> tuple[list[Cell], str]:
    """All cells of a suite, and its question."""
    from coopt.driver.sweep.arms import make_arms
    from coopt.driver.sweep.cells import make_cells
    from coopt.driver.sweep.suite import read_suite, suite_path

    path = suite_path(suite)
    tree = read_suite(path)
    arms = make_arms(tree, suite, smoke=smoke, settings=settings)
    folder = out or SWEEPS / (path.stem + "-smoke" * smoke)
    return make_cells(arms, range(tree.seed, tree.seed + tree.seeds), folder), tree.question


def _shipped() -> list[tuple[str, str, int, int, float, bool]]:
    from coopt.driver.plan.speed import REFERENCE
    from coopt.driver.sweep.estimate import Estimator
    from coopt.driver.sweep.suite import suite_names

    estimate, rows = Estimator(lambda config: 2, REFERENCE), []
    for name in suite_names():
        cells, question = _cells(name, False, [], None)
        found = [estimate(c) for c in cells]
        seeds = len({c.seed for c in cells})
        assumed = any(e.assumed for e in found)
        rows.append((name, question, len(cells) // seeds, seeds, sum(e.seconds for e in found), assumed))
    return rows


def _workers(
    workers: int | None, cluster: str | None, profile: str | None, *, dry_run: bool
) -> Callable[[Config], int]:
    """How many workers a bench has there. Raises ``ConfigError`` if no bench could run there."""
    from coopt.core.config.load import load_config
    from coopt.driver.bench import default_workers
    from coopt.driver.slurm.executors import check_cluster

    flag = cluster_flag(cluster, profile)
    where = load_config(profile=profile, cluster=flag).cluster
    if not dry_run:
        check_cluster(where)
    update = {"cluster": where} if flag else {}
    return lambda config: workers or default_workers(config.model_copy(update=update))


def _extra(workers: int | None, cluster: str | None, profile: str | None) -> list[str]:
    """Arguments that every bench gets besides its arm's."""
    given = {"--workers": workers, "--cluster": cluster, "--profile": profile}
    return [word for flag, value in given.items() if value is not None for word in (flag, str(value))]


def _sweep(
    suite: str,
    question: str,
    cells: Sequence[Cell],
    budget: float | None,
    jobs: int,
    workers: Callable[[Config], int],
    extra: Sequence[str],
    archive: Path | None,
    *,
    dry_run: bool,
) -> list[CellEnd]:
    """Show the plan; run what is missing."""
    from coopt.core.tables.screen import output, show
    from coopt.driver.sweep.archive import keep
    from coopt.driver.sweep.cells import most_informative_first, within
    from coopt.driver.sweep.drive import Driver
    from coopt.reports.sweep import plan_table

    missing = [c for c in cells if c.results() is None]
    console = output()
    console.print(f"{len(cells) - len(missing)} of {len(cells)} benches are finished.", highlight=False)
    if not missing:
        return []
    estimates = _estimates(missing, workers)
    left = {c: e.left for c, e in estimates.items()}
    order = most_informative_first(missing, left)
    _, left_out = within(order, left, budget, jobs)
    show([plan_table(suite, question, order, estimates, left_out, jobs)], console)
    if dry_run:
        return []
    began = time.monotonic()

    def say(text: str) -> None:
        line = f"[{time.monotonic() - began:7.1f} s] {one_line(text)}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    finished = (lambda cell: None) if archive is None else (lambda cell: keep(cell, archive))
    return Driver(jobs, budget, extra, left, say, finished).run(order)


def _bring(cells: Sequence[Cell], archive: Path) -> None:
    """Take from the archive what is missing here, and keep there what is finished here."""
    from coopt.driver.sweep.archive import archive_of, bring, keep

    for cell in cells:
        if not bring(cell, archive) and not archive_of(cell, archive).is_file() and cell.results() is not None:
            keep(cell, archive)


def _estimates(cells: Sequence[Cell], workers: Callable[[Config], int]) -> dict[Cell, TimeEstimate]:
    from coopt.core.quiet import quiet_libraries
    from coopt.driver.sweep.estimate import Estimator

    quiet_libraries()
    estimate = Estimator(workers)
    return {cell: estimate(cell) for cell in cells}


def _show_tables(cells: Sequence[Cell], style: str) -> None:
    from coopt.core.tables.screen import output, show
    from coopt.core.tables.table import FORMATS, render
    from coopt.driver.sweep.results import read_cells
    from coopt.reports.sweep import sweep_tables

    found = read_cells(cells)
    for line in found.unread:
        typer.echo(f"coopt: left out: {line}", err=True)
    tables = sweep_tables(found.states, found.between)
    if style == "rich":
        show(tables, output())
    else:
        formats = {str(f): f for f in FORMATS}
        print(render(tables, formats[style]))


def _finish(outcomes: Sequence[CellEnd], extra: Sequence[str], console: Console) -> None:
    """Say what failed and what was left out. Raises ``RunError`` if something failed."""
    left_out = [o.cell.name for o in outcomes if o.state == "left out"]
    if left_out:
        console.print(
            f"Left out by the budget ({len(left_out)}): {', '.join(left_out)}. The same command continues with them.",
            markup=False,
            highlight=False,
        )
    failed = [o for o in outcomes if o.state == "failed"]
    for outcome in failed:
        console.print(one_line(f"Failed: {outcome.cell.name}: {outcome.last_line}"), markup=False, highlight=False)
        console.print(f"  its output: {outcome.cell.log}", markup=False, highlight=False)
        console.print(f"  alone: {outcome.cell.shown(extra)}", markup=False, highlight=False)
    if failed:
        raise RunError(
            f"{len(failed)} of {len(outcomes)} benches failed. Fix the errors above, then rerun the same command."
        )
