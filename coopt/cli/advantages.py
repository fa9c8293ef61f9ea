"""``coopt advantages``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from coopt.core.errors import ConfigError, unknown

if TYPE_CHECKING:
    from coopt.reports.advantages.traces import Trace
    from coopt.runs.run import Run


def advantages(
    run: Annotated[Path, typer.Argument(help="A run directory, finished or under way.")],
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods", "--method", help="Comma list; the others are compared with the first. (default: all)"
        ),
    ] = None,
    rounds: Annotated[str | None, typer.Option("--rounds", "--round", help="Comma list. (default: all)")] = None,
    students: Annotated[str | None, typer.Option("--students", "--student", help="Comma list. (default: all)")] = None,
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
    show: Annotated[int, typer.Option(help="Questions whose rollouts are shown in the terminal.", min=0)] = 3,
    html: Annotated[
        Path | None, typer.Option(help="Write a page of rollouts coloured by advantage: FILE.html.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the mean advantage around the first error: FILE.svg, .pdf or .png.")
    ] = None,
) -> None:
    """Where the teacher changes the student's mind: per-token advantages by arm, and single rollouts.

    Every method with a teacher or a reward records some rollouts while it trains (record.advantages_every).

    \b
    Examples:
      coopt advantages runs/NAME
      coopt advantages runs/NAME --method critic_reference,critic_step --html rollouts.html --svg around_the_error.svg
      coopt advantages runs/NAME --round 1 --format latex > advantages.tex
    """
    from coopt.core.tables.screen import output
    from coopt.core.tables.screen import show as show_tables
    from coopt.core.tables.table import FORMATS, render
    from coopt.reports.advantages.tables import advantage_tables
    from coopt.reports.figure import check_figure
    from coopt.runs.run import Run

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    if svg is not None:
        check_figure("--svg", svg)
    opened = Run.open(run)
    traces = _traces(opened, methods, rounds, students)
    tables = advantage_tables(traces)
    told = Console(stderr=True, highlight=False)
    if html is not None:
        from coopt.reports.advantages.page import write_page

        write_page(html, str(run), traces, tables)
        told.print(f"{html}: written", markup=False)
    if svg is not None:
        from coopt.reports.advantages.plot import draw_profile

        draw_profile(traces, svg)
        told.print(f"{svg}: written", markup=False)
    if style == "rich":
        from coopt.reports.advantages.terminal import show_rollouts

        show_rollouts(traces, show, output())
        show_tables(tables, output())
    else:
        print(render(tables, formats[style]))


def _traces(run: Run, methods: str | None, rounds: str | None, students: str | None) -> list[Trace]:
    from coopt.reports.advantages.traces import read_traces

    config, names = run.config, run.topology.students
    most = max((run.rounds_of(m) for m in config.methods), default=0)
    chosen = _among("method", methods, config.methods)
    numbers = _among("round", rounds, [str(r) for r in range(1, most + 1)])
    return read_traces(run, chosen, [int(r) for r in numbers], _among("student", students, names))


def _among(what: str, given: str | None, allowed: list[str] | tuple[str, ...]) -> list[str]:
    """The named ones, all if none is named. Raises ``ConfigError``."""
    if given is None:
        return list(allowed)
    names = [p.strip() for p in given.split(",") if p.strip()]
    for name in names:
        if name not in allowed:
            raise ConfigError(unknown(what, name, allowed, f"--{what}: "))
    return names or list(allowed)
