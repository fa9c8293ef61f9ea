"""``coopt export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(help="A finished run, or an arm's folder of a sweep.")],
    out: Annotated[Path | None, typer.Option(help="Where to write. (default: RUN/export)")] = None,
) -> None:
    """Write every answer and every training step of a run as tidy rows: outcomes and steps, as .parquet and .csv.

    A row of outcomes is an answer: run, seed, method, round, final, best, student, native, domain, split, item, sample,
    answer, correct. The tables' scores are the means of the final ones; best: the round that validation chose. A row
    of steps is one optimizer step: run, seed, method, round, student, step, and its numbers.

    \b
    Examples:
      coopt export runs/NAME
      coopt export runs/NAME --out data
      python -c "import pandas; print(pandas.read_parquet('data/steps.parquet'))"
    """
    from coopt.runs.export import export_run
    from coopt.runs.together import open_finished

    for path in export_run(open_finished(run), out or run / "export"):
        print(path)
