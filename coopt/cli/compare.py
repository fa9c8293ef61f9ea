"""``coopt compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.core.errors import ConfigError, unknown


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more finished runs, or arms' folders of a sweep.")],
    style: Annotated[str, typer.Option("--format", help="rich, md, csv, json or latex.")] = "rich",
) -> None:
    """Compare the methods of several runs side by side, paired over the questions that all of them answered.

    Runs that differ in questions, domains or numbers of answers are refused; other differences in settings are listed.

    \b
    Examples:
      coopt compare runs/RING runs/STAR
      coopt compare runs/sweeps/topologies/ring4 runs/sweeps/topologies/star4 --format md
    """
    from coopt.cli.smoke import say_smoke
    from coopt.core.tables.screen import output, show, show_lines
    from coopt.core.tables.table import FORMATS, render
    from coopt.reports.comparison import comparison_tables
    from coopt.reports.headline import SMOKE
    from coopt.runs.compare import compare_runs
    from coopt.runs.together import open_finished

    formats = {f: f for f in FORMATS}
    if style not in formats:
        raise ConfigError(unknown("format", style, FORMATS))
    if len(runs) < 2:
        raise ConfigError("coopt compare needs two runs or more. The methods of one run: coopt report RUN.")
    opened = [open_finished(run) for run in runs]
    tables, smoke = comparison_tables(compare_runs(opened)), any(run.config.smoke for run in opened)
    if style == "rich":
        show_lines([f"WARNING: {SMOKE}"] * smoke, output())
        show(tables, output())
    else:
        if smoke:
            say_smoke(formats[style])
        print(render(tables, formats[style]))
