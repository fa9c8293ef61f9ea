"""``coopt report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.errors import ConfigError, RunError, unknown


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
) -> None:
    """Print the tables of a run again.

    \b
    Examples:
      coopt report runs/NAME
      coopt report runs/NAME --format latex > tables.tex
    """
    from coopt.metrics.results import Results
    from coopt.reports.table import FORMATS, output, render, show
    from coopt.reports.tables import all_tables
    from coopt.running.run import Run

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    directory = Run.open(run).directory
    path = directory / "results.json"
    if not path.is_file():
        raise RunError(f"{run}: the run has not finished. Run its coopt bench command again to resume it.")
    tables = all_tables(Results.model_validate_json(path.read_text(encoding="utf-8")))
    if style == "rich":
        show(tables, output())
    else:
        print(render(tables, formats[style]))
