"""Who performs a run's tasks: worker processes of this machine, or a cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager

from coopt.core.errors import RunError
from coopt.driver.rounds import Launch
from coopt.driver.slurm.jobs import jobs_of
from coopt.driver.tasks.launch import Launcher
from coopt.driver.tasks.progress import Display
from coopt.runs.run import Run


def make_launcher(run: Run, workers: int, display: Display) -> AbstractContextManager[Launch]:
    """The launcher that the run's ``cluster.kind`` names. Raises ``RunError`` if worker processes would do again what
    jobs of the run are doing."""
    if run.config.cluster.kind != "none":
        from coopt.driver.slurm.launcher import SubmititLauncher

        return SubmititLauncher(run, workers, display)
    live = [job for job in jobs_of(run.directory) if job.live]
    if live:
        raise RunError(
            f"{run.directory}: {len(live)} jobs of this run are waiting or running ({live[0].kind} {live[0].id}). Go"
            f" on with --cluster {live[0].kind}, or end them: coopt cancel {run.directory}."
        )
    return Launcher(run, workers, display)
