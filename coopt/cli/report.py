"""``coopt report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.api import read_results
from coopt.errors import ConfigError, unknown


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
    from coopt.reports.table import FORMATS, output, render, show
    from coopt.reports.tables import all_tables

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    tables = all_tables(read_results(run))
    if style == "rich":
        show(tables, output())
    else:
        print(render(tables, formats[style]))
