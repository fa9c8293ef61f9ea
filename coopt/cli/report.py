"""``coopt report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.api import read_results
from coopt.errors import ConfigError, unknown

if TYPE_CHECKING:
    from coopt.metrics.results import Results


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
    html: Annotated[
        bool, typer.Option("--html", help="Write one file with charts, gates by round and transcripts.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where --html writes. (default: RUN/report.html)")] = None,
) -> None:
    """Print the tables of a run again, or write them with charts and transcripts as a page.

    \b
    Examples:
      coopt report runs/NAME
      coopt report runs/NAME --format latex > tables.tex
      coopt report runs/NAME --html
      coopt report runs/NAME --html --out page.html
    """
    from coopt.reports.table import FORMATS, output, render, show
    from coopt.reports.tables import all_tables

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    results = read_results(run)
    if html:
        _page(run, results, out or run / "report.html")
        return
    tables = all_tables(results)
    if style == "rich":
        show(tables, output())
    else:
        print(render(tables, formats[style]))


def _page(directory: Path, results: Results, path: Path) -> None:
    from rich.console import Console

    from coopt.reports.html.page import write_page
    from coopt.running.run import Run

    with Console(stderr=True).status("writing the report"):
        chosen = write_page(Run.open(directory), results, path)
    size, shown, total = path.stat().st_size / 2**20, sum(chosen.shown.values()), sum(chosen.total.values())
    print(f"{path}: {size:.1f} MB, {shown:,} of {total:,} transcripts")
