"""``coopt check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.core.errors import CooptError, RunError


def check(
    run: Annotated[Path, typer.Argument(help="A run, or a folder of runs.")],
) -> None:
    """Is a run intact? Every file is read and compared with what was written.

    Exit code 0: whole; 1: damaged or not finished, with what is wrong and the command that mends it.

    \b
    Examples:
      coopt check runs/NAME
      coopt check runs
    """
    from coopt.core.tables.screen import output, show_lines
    from coopt.driver.damage import check_run
    from coopt.driver.status import find_runs
    from coopt.reports.check import lines_of, next_command, one_line
    from coopt.runs.run import is_run

    console = output()
    if is_run(run):
        found = check_run(run)
        show_lines(lines_of(found), console)
        if command := next_command(found):
            console.print(command, markup=False, soft_wrap=True)
        raise typer.Exit(0 if found.whole else 1)
    paths = find_runs(run)
    if not paths:
        raise RunError(f"{run}: no runs here. coopt bench makes one under runs/; coopt sweep under runs/sweeps/.")
    good = True
    for path in paths:
        try:
            found = check_run(path)
        except CooptError as error:  # one that cannot be opened hides no other
            good = False
            show_lines([f"{path}: {error}"], console)
            continue
        good &= found.whole
        show_lines([one_line(found)], console)
    if not good:
        show_lines(["What is wrong with one, and the command that mends it: coopt check RUN."], console)
    raise typer.Exit(0 if good else 1)
