"""Who performs a run's tasks: worker processes of this machine, or a cluster."""

from __future__ import annotations

from contextlib import AbstractContextManager

from coopt.cluster.jobs import jobs_of
from coopt.errors import RunError
from coopt.rounds import Launch
from coopt.running.launch import Launcher
from coopt.running.progress import Display
from coopt.running.run import Run


def make_launcher(run: Run, workers: int, display: Display) -> AbstractContextManager[Launch]:
    """The launcher that the run's ``cluster.kind`` names. Raises ``RunError`` if worker processes would do again what
    jobs of the run are doing."""
    if run.config.cluster.kind != "none":
        from coopt.cluster.launcher import SubmititLauncher

        return SubmititLauncher(run, workers, display)
    live = [job for job in jobs_of(run.directory) if job.live]
    if live:
        raise RunError(
            f"{run.directory}: {len(live)} jobs of this run wait or run ({live[0].kind} {live[0].id}). Go on with"
            f" --cluster {live[0].kind}, or end them: coopt cancel {run.directory}."
        )
    return Launcher(run, workers, display)
