"""``coopt cancel``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coopt.errors import RunError


def cancel(run: Annotated[Path, typer.Argument(help="A run directory, as coopt bench names it.")]) -> None:
    """End the jobs of a run that was started with --cluster. What is finished stays: the same bench goes on from it."""
    from coopt.cluster.jobs import cancel as end
    from coopt.cluster.queue import QueueAwayError
    from coopt.running.run import Run

    directory = Run.open(run).directory
    try:
        ended = end(directory)
    except QueueAwayError as error:
        raise RunError(f"{run}: the queue does not answer ({error}). Try coopt cancel again.") from None
    for job in ended:
        print(f"cancelled {job.kind} job {job.id}: {job.task}")
    if not ended:
        print(f"{run}: no job waits or runs.")
