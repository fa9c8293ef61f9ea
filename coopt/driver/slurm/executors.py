"""submitit's executors, set as a run's ``cluster`` says, and the submission itself."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import submitit
from submitit.core.utils import DelayedSubmission, FailedJobError, FailedSubmissionError, JobPaths

from coopt.core.config.cluster import ClusterConfig
from coopt.core.errors import ConfigError, RunError
from coopt.driver.slurm.work import Work, debug_id

_ALL = 100_000  # more than the elements of any array
_DEAF = """bash -c 'trap "" USR2; exec "$@"' coopt """  # a warning before Python can handle it must not kill the job


def check_cluster(cluster: ClusterConfig) -> None:
    """Refuse SLURM where there is none. Raises ``ConfigError``."""
    if cluster.kind == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise ConfigError(
            "--cluster slurm: sbatch and srun are not on this machine. Start on a login node of the cluster, or take"
            " --cluster local. For a SLURM on this machine: slurm/dev-cluster start."
        )


def submit(cluster: ClusterConfig, folder: Path, name: str, works: Sequence[Work]) -> list[str]:
    """Submit jobs (on SLURM one array) with files in ``folder``; returns their ids. Debug jobs have ended then.

    Raises ``RunError`` if the cluster refuses them.
    """
    executor = _executor(cluster, folder, name, works[0].ranks)
    try:
        with _outside_a_job():
            jobs = _submit_all(executor, works)
    except (CalledProcessError, FailedJobError, FailedSubmissionError) as error:
        said = [line for line in str(error).splitlines() if "error:" in line] or [str(error).splitlines()[-1]]
        raise RunError(
            f"the cluster refuses the jobs of {name}: {said[-1].strip()}. Look at partition, account and sizes"
            " (--profile, --set cluster.KEY=VALUE), then run the same command again."
        ) from None
    if cluster.kind == "debug":
        for job in jobs:
            job.exception()  # performs it here
        return [debug_id(os.getpid())] * len(jobs)
    return [str(job.job_id) for job in jobs]


def _submit_all(executor: submitit.Executor, works: Sequence[Work]) -> list[submitit.Job[None]]:
    jobs: list[submitit.Job[None]] = []
    with executor.batch():
        for work in works:
            jobs.append(executor.submit(work))
    return jobs


def _executor(cluster: ClusterConfig, folder: Path, name: str, ranks: int) -> submitit.Executor:
    if cluster.kind == "debug":
        return submitit.DebugExecutor(folder)
    common: dict[str, Any] = {"setup": list(cluster.setup)}
    if cluster.kind == "local":
        local = submitit.LocalExecutor(folder, max_num_timeout=cluster.timeouts)
        local.update_parameters(
            timeout_min=cluster.minutes,
            signal_delay_s=cluster.signal_seconds,
            tasks_per_node=ranks,
            gpus_per_node=cluster.gpus * ranks,
            **common,
        )
        return local
    python = _DEAF + (cluster.python or shlex.quote(sys.executable))
    slurm = submitit.SlurmExecutor(folder, max_num_timeout=cluster.timeouts, python=python)
    named = ("partition", "account", "qos", "constraint")
    slurm.update_parameters(
        job_name=name,
        time=cluster.minutes,
        nodes=1,
        ntasks_per_node=ranks,
        cpus_per_task=cluster.cpus,
        mem=f"{round(cluster.memory_gb * ranks * 1024)}M",
        signal_delay_s=cluster.signal_seconds,
        array_parallelism=cluster.parallel or _ALL,
        # srun does not take --cpus-per-task from its job; one dead rank ends the job.
        srun_args=[f"--cpus-per-task={cluster.cpus}", "--kill-on-bad-exit=1"],
        additional_parameters={"requeue": True, **cluster.options},
        **common,
        **{key: value for key in named if (value := getattr(cluster, key)) is not None},
        **({"gpus_per_node": cluster.gpus * ranks} if cluster.gpus else {}),
    )
    return slurm


def mend(folder: Path, id_: str, work: Work, cluster: ClusterConfig) -> None:
    """Give a job its work if the driver was killed between sbatch and that: submitit hands it over in a file."""
    paths = JobPaths(folder, id_)
    if not paths.submitted_pickle.exists():
        submission = DelayedSubmission(work)
        submission.set_timeout(cluster.minutes, cluster.timeouts)
        whole = paths.submitted_pickle.with_suffix(".whole")
        submission.dump(whole)
        whole.rename(paths.submitted_pickle)


@contextmanager
def _outside_a_job() -> Iterator[None]:
    """A driver that is a SLURM job itself must not hand its own sizes down; where SLURM is, it must."""
    where = os.environ.get("SLURM_CONF")
    with submitit.helpers.clean_env():
        if where is not None:
            os.environ["SLURM_CONF"] = where
        yield
