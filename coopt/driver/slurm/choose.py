"""Who performs a run's tasks: worker processes of this machine, or a cluster."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager

from coopt.core.errors import RunError
from coopt.driver.rounds import Launch
from coopt.driver.slurm.jobs import jobs_and_silence
from coopt.driver.tasks.launch import Launcher
from coopt.driver.tasks.progress import Display
from coopt.runs.run import Run


def make_launcher(run: Run, workers: int, display: Display) -> AbstractContextManager[Launch]:
    """The launcher that the run's ``cluster.kind`` names. Raises ``RunError`` if worker processes would do again what
    jobs of the run are doing."""
    if run.config.cluster.kind != "none":
        from coopt.driver.slurm.launcher import SubmititLauncher

        return SubmititLauncher(run, workers, display)
    jobs, silence = jobs_and_silence(run.directory)
    if silence and shutil.which("squeue"):  # without it the folder has come from a cluster, and its jobs are elsewhere
        raise RunError(
            f"{run.directory}: whether jobs of this run are waiting or running is not known: the queue did not answer"
            f" ({silence}). Run the same command again when it does."
        )
    live = {job.id: job.kind for job in jobs if job.live}
    if live:
        id_, kind = next(iter(live.items()))
        raise RunError(
            f"{run.directory}: {len(live)} jobs of this run are waiting or running ({kind} {id_}). Go on with --cluster"
            f" {kind}, or end them: coopt cancel {run.directory}."
        )
    return Launcher(run, workers, display)
