"""``coopt report``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.core.errors import ConfigError, unknown

if TYPE_CHECKING:
    from rich.console import Console

    from coopt.core.tables.table import Format
    from coopt.runs.results import Results

_EXAMPLES = """
Examples:

  coopt report runs/NAME
  coopt report runs/NAME --all
  coopt report runs/NAME --section break-rates
  coopt report runs/NAME --format latex > tables.tex
  coopt report runs/NAME --html page.html
  coopt report runs/NAME --figure feedback --out figure6.svg
  coopt report runs/sweeps/schedules --figure schedules --out figure8.pdf
"""


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="A run directory; several for some figures.")],
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
    everything: Annotated[bool, typer.Option("--all", help="Every table. (formats other than rich: always)")] = False,
    section: Annotated[
        str | None,
        typer.Option(
            help="One part: scores, answers, pareto, comparisons, ranking, consensus, gates, feedback, break-rates,"
            " matrix, cost."
        ),
    ] = None,
    html: Annotated[
        bool, typer.Option("--html", help="Write one page with charts, gates and transcripts: --html [FILE.html].")
    ] = False,
    figure: Annotated[
        str | None, typer.Option(help="Draw a figure: break-rate, feedback, gates, schedules or step-time.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The figure (.svg, .pdf or .png) or the page. (default: RUN/report.html)")
    ] = None,
) -> None:
    """Print what a run found: the headline, or its tables; write a page with charts and transcripts; draw a figure.

    The figures are counterparts of the paper's: break-rate of Table 2, feedback, gates, schedules and step-time of
    Figures 6, 7, 8 and 9. schedules and step-time take several runs, or a sweep's folder.
    """
    from coopt.core.tables.table import FORMATS

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    if figure is not None:
        if html:
            raise ConfigError("--html or --figure, not both.")
        _figure(figure, runs, out)
        return
    if html and out is None and len(runs) > 1 and runs[-1].suffix == ".html":
        out = runs.pop()  # --html takes no value for the parser, so its file is one more word
    if len(runs) > 1:
        raise ConfigError(f"coopt report shows one run, not {len(runs)}. Several are for --figure schedules.")
    if html:
        _page(runs[0], out)
        return
    if out is not None:
        raise ConfigError("--out is for --html and --figure. Tables go to standard output: coopt report RUN > FILE.")
    if everything and section:
        raise ConfigError("--all or --section, not both.")
    _print(runs[0], formats[style], everything, section)


report.__doc__ = f"{report.__doc__}\n\n\b{_EXAMPLES}"


def _print(run: Path, style: Format, everything: bool, name: str | None) -> None:
    from coopt.cli.smoke import say_smoke
    from coopt.core.tables.screen import output, show, show_lines
    from coopt.core.tables.table import render
    from coopt.reports.headline import warnings
    from coopt.reports.sections import all_tables, screen_section, screen_tables, section
    from coopt.runs.measures.summary import read_results
    from coopt.runs.results import UnfinishedError

    try:
        results = read_results(run)
    except UnfinishedError:
        if style != "rich" or everything or name:
            raise
        _show_so_far(run)
        return
    if style == "rich" and not everything and name is None:
        show_headline(results, str(run), output())
        return
    if style == "rich":
        tables = screen_section(results, name) if name else screen_tables(results)
    else:
        tables = section(results, name) if name else all_tables(results)
    if not tables:
        print(f"{run} has nothing in section {name}.")
    elif style == "rich":
        show_lines(warnings(results), output())
        show(tables, output())
    else:
        if results.smoke:
            say_smoke(style)
        print(render(tables, style))


def _show_so_far(directory: Path) -> None:
    """Of a run that is not finished: how far it is, its validation scores, and where more is."""
    from coopt.core.tables.screen import output, show, show_lines
    from coopt.driver.status import run_status
    from coopt.reports.so_far import how_far, so_far_table
    from coopt.reports.status import silent
    from coopt.runs.measures.trajectories import trajectories
    from coopt.runs.run import Run

    run, console = Run.open(directory), output()
    status = run_status(run)
    show_lines([f"{directory}: {how_far(status, time.time())}"], console)
    if status.silence:
        show_lines([f"note: {silent(status.silence)}"], console)
    table = so_far_table(trajectories(run, unfinished=True), len(run.topology.students))
    console.print()
    show([table] if table.rows else [], console)
    show_lines(
        [
            f"Tasks:   coopt status {directory}     a page with curves: add --html",
            f"Steps:   coopt logs {directory}     to resume it, repeat its coopt bench command",
        ],
        console,
    )


def show_headline(results: Results, run: str, console: Console) -> None:
    """Who got better at what, on one screen."""
    from coopt.core.tables.screen import show, show_lines
    from coopt.reports.headline import footlines, headline, headline_table

    show_lines(headline(results), console)
    console.print()
    show([headline_table(results)], console)
    show_lines(footlines(results, run), console)


def _figure(name: str, runs: list[Path], out: Path | None) -> None:
    from coopt.reports.opened import open_runs
    from coopt.reports.paper_figures import FIGURES, check_request, write_figure

    path = check_request(name, runs, out)
    write_figure(name, open_runs(runs), path)
    print(f"{path}: {FIGURES[name].says} (as the paper's {FIGURES[name].paper})")


def _page(directory: Path, out: Path | None) -> None:
    from rich.console import Console

    from coopt.reports.html.page import write_page
    from coopt.reports.opened import only, open_runs

    opened = only(open_runs([directory]), "--html")
    path = out or directory / "report.html"
    with Console(stderr=True).status("writing the report"):
        chosen = write_page(opened.run, opened.results, path)
    size, shown, total = path.stat().st_size / 2**20, sum(chosen.shown.values()), sum(chosen.total.values())
    print(f"{path}: {size:.1f} MB, {shown:,} of {total:,} transcripts")
