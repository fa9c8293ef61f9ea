"""``coopt cancel``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coopt.core.errors import RunError

if TYPE_CHECKING:
    from coopt.runs.run import Run


def cancel(
    run: Annotated[Path, typer.Argument(help="A run, or a folder of runs: stop a sweep with Ctrl-C first.")],
) -> None:
    """End the jobs of a run that was started with --cluster. The command that started it resumes it."""
    from coopt.driver.folder import is_locked
    from coopt.driver.slurm.jobs import cancel as end
    from coopt.driver.slurm.queue import QueueAwayError
    from coopt.driver.status import find_runs
    from coopt.runs.run import Run, is_run

    found = [run] if is_run(run) else find_runs(run)
    if not found:
        raise RunError(f"{run}: no run here, and no runs in it. coopt status shows those under runs/.")
    try:
        ended = [(directory, job) for directory in found for job in end(directory)]
    except QueueAwayError as error:
        raise RunError(f"{run}: the queue does not answer ({error}). Try coopt cancel again.") from None
    for directory, job in ended:
        print(f"cancelled {job.kind} job {job.id}: {directory}: {job.task}")
    for directory in filter(is_locked, found):
        print(f"{directory}: {_told(Run.open(directory))}")
    if not ended:
        print(f"{run}: no job waits or runs.")


def _told(run: Run) -> str:
    """What becomes of a bench that works on the run now."""
    if run.config.cluster.kind == "none":
        return "a bench works on it without jobs: end it with Ctrl-C."
    return "its bench ends at its next look, within seconds."
