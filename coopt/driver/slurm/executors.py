"""submitit's executors, set as a run's ``cluster`` says, and the submission itself."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from subprocess import CalledProcessError, TimeoutExpired
from typing import TypeVar

import psutil
import submitit
from submitit.core.utils import DelayedSubmission, FailedJobError, FailedSubmissionError, JobPaths

from coopt.core.config.cluster import ClusterConfig
from coopt.core.errors import ConfigError, RunError
from coopt.core.temporary import for_others
from coopt.driver.slurm.queue import UNCONFIGURED, QueueAwayError, ended
from coopt.driver.slurm.work import Work, debug_id

Slurm = TypeVar("Slurm", bound=submitit.SlurmExecutor)
_ALL = 100_000  # more than the elements of any array
_PATIENCE = 120.0  # seconds that sbatch gets for its answer
_ASIDE = 10.0  # seconds that a question gets whose answer can be done without
# What SLURM's programs say when the cluster is not to be reached, or too busy to answer: no answer, and no refusal.
_PASSING = re.compile(
    r"contact slurm controller|connect failure|connection (refused|timed out|reset)|timed out|temporarily (un)?able"
    r"|temporarily unavailable|zero bytes|communication (connection )?failure|not connected|standby mode"
    r"|munge encode failed|unexpected message|try again",
    re.IGNORECASE,
)
_DEAF = """bash -c 'trap "" USR2; exec "$@"' coopt """  # a warning before Python can handle it must not kill the job


def check_cluster(cluster: ClusterConfig) -> None:
    """Refuse SLURM where there is none. Raises ``ConfigError``."""
    if cluster.kind == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise ConfigError(
            "--cluster slurm: sbatch and srun are not on this machine. Start on a login node of the cluster, or take"
            " --cluster local. For a SLURM on this machine: slurm/dev-cluster start."
        )
    if cluster.kind == "slurm" and (said := _no_configuration()):
        raise ConfigError(
            "--cluster slurm: sbatch is on this machine, but knows of no cluster"
            f" ({said}). Start on a login node, or set SLURM_CONF to your site's slurm.conf."
        )


def _no_configuration() -> str:
    """What SLURM's programs say where nothing tells them of a cluster; empty if they know one, answering or not."""
    try:
        done = ended(["scontrol", "ping"], _ASIDE)
    except (OSError, TimeoutExpired):
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if UNCONFIGURED.search(line)]
    return lines[-1] if done.returncode and lines else ""


def check_place(cluster: ClusterConfig, directory: Path) -> None:
    """Refuse a run's folder whose logs would go elsewhere. Raises ``ConfigError``."""
    if cluster.kind != "none" and "%" in str(directory.resolve()):
        raise ConfigError(
            f"--cluster {cluster.kind}: {directory.resolve()} has a % in its name, for which a cluster puts numbers of"
            " jobs. Give another --out."
        )


def submit(cluster: ClusterConfig, folder: Path, name: str, works: Sequence[Work]) -> list[str]:
    """Submit jobs (on SLURM one array) with files in ``folder``; returns their ids. Debug jobs have ended then.

    Raises ``RunError`` if the cluster refuses them, and ``QueueAwayError`` if it cannot be reached now: then jobs of
    this name may be in its queue all the same.
    """
    executor = _executor(_given_time(cluster, works), folder, name, works[0].ranks)
    try:
        with (
            for_others(),
            _outside_a_job(),
            _bounded() as given_up,
            redirect_stderr(io.StringIO()),
        ):  # submitit repeats what sbatch says
            jobs = _submit_all(executor, works)
    except FailedSubmissionError:
        raise QueueAwayError("sbatch's answer holds no job number") from None
    except (CalledProcessError, FailedJobError) as error:
        if given_up.is_set():
            raise QueueAwayError(f"sbatch did not answer in {_PATIENCE:.0f} s") from None
        lines = str(error).strip().splitlines() or ["sbatch did not answer"]
        said = [line for line in lines if "error:" in line] or lines
        if not str(error).strip() or _PASSING.search(str(error)):
            raise QueueAwayError(said[-1].strip()) from None
        raise RunError(
            f"the cluster refuses the jobs of {name}: {said[-1].strip()}. Look at partition, account and sizes"
            " (--profile, --set cluster.KEY=VALUE), then run the same command again."
        ) from None
    if cluster.kind == "debug":
        for job in jobs:
            job.exception()  # performs it here
        return [debug_id(os.getpid())] * len(jobs)
    return [str(job.job_id) for job in jobs]


def _given_time(cluster: ClusterConfig, works: Sequence[Work]) -> ClusterConfig:
    """What a job holds needs the time of all its tasks, so it may be out of time as often as they together."""
    return cluster.model_copy(update={"timeouts": cluster.timeouts * max(len(work.tasks) for work in works)})


@contextmanager
def _bounded() -> Iterator[threading.Event]:
    """An sbatch that never answers is ended, which submitit takes for a failure. Yields what is set then: what its
    shell says of the end is no word of the cluster."""
    given_up = threading.Event()

    def end() -> None:
        given_up.set()
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if any(Path(part).name == "sbatch" for part in process.cmdline()[:2]):
                    for each in (*process.children(recursive=True), process):
                        each.kill()

    timer = threading.Timer(_PATIENCE, end)
    timer.daemon = True
    timer.start()
    try:
        yield given_up
    finally:
        timer.cancel()


def _submit_all(executor: submitit.Executor, works: Sequence[Work]) -> list[submitit.Job[None]]:
    jobs: list[submitit.Job[None]] = []
    with executor.batch():
        for work in works:
            jobs.append(executor.submit(work))
    return jobs


def _executor(cluster: ClusterConfig, folder: Path, name: str, ranks: int) -> submitit.Executor:
    if cluster.kind == "debug":
        return submitit.DebugExecutor(folder)
    if cluster.kind == "local":
        local = submitit.LocalExecutor(folder, max_num_timeout=cluster.timeouts)
        local.update_parameters(
            timeout_min=cluster.minutes,
            signal_delay_s=cluster.signal_seconds,
            tasks_per_node=ranks,
            gpus_per_node=cluster.gpus * ranks,
            setup=list(cluster.setup),
        )
        return local
    return slurm_executor(cluster, folder, name, ranks, submitit.SlurmExecutor)


def slurm_executor(cluster: ClusterConfig, folder: Path, name: str, ranks: int, kind: type[Slurm]) -> Slurm:
    """The executor of jobs of ``ranks`` tasks each."""
    python = _DEAF + (cluster.python or shlex.quote(sys.executable))
    slurm = kind(folder, max_num_timeout=cluster.timeouts, python=python)
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
        setup=list(cluster.setup),
        **{key: value for key in named if (value := getattr(cluster, key)) is not None},
        **({"gpus_per_node": cluster.gpus * ranks} if cluster.gpus else {}),
    )
    return slurm


def mend(folder: Path, id_: str, work: Work, cluster: ClusterConfig) -> None:
    """Give a job its work if the driver was killed between sbatch and that: submitit hands it over in a file."""
    paths = JobPaths(folder, id_)
    if not paths.submitted_pickle.exists():
        submission = DelayedSubmission(work)
        submission.set_timeout(cluster.minutes, _given_time(cluster, [work]).timeouts)
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
