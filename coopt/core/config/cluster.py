"""Where a run's tasks are performed: on this machine, or as jobs. It does not define a run."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from coopt.core.config.section import Section


class ClusterConfig(Section):
    """Jobs through submitit. Sizes are per rank (a job has `parallel.ranks` of them)."""

    NEWER: ClassVar[frozenset[str]] = frozenset({"python", "tasks_per_job"})

    kind: Literal["none", "debug", "local", "slurm"] = "none"
    """none: worker processes. debug: jobs inside this process. local: jobs as processes. slurm: SLURM jobs."""
    partition: str | None = None
    """SLURM partition; None: the cluster's default."""
    account: str | None = None
    """SLURM account that is charged."""
    qos: str | None = None
    """SLURM quality of service."""
    constraint: str | None = None
    """Features that a node must have."""
    gpus: int = Field(0, ge=0)
    """GPUs per rank."""
    cpus: int = Field(1, ge=1)
    """CPU cores per rank."""
    memory_gb: float = Field(4.0, gt=0)
    """Memory per rank, in GB."""
    tasks_per_job: int = Field(0, ge=0)
    """The most tasks of a round that share a job. 0: students in lockstep are one job, and tasks that are short by the
    plan share jobs of about five minutes; 1: each task has its own. A student of several ranks always has."""
    minutes: int = Field(60, ge=1)
    """Time limit of a job, whatever it holds. One that needs more is requeued and goes on from what is done and its
    checkpoints."""
    signal_seconds: int = Field(90, ge=1)
    """How long before its time limit a job is warned and requeues itself (SLURM may warn a minute earlier)."""
    parallel: int = Field(0, ge=0)
    """Jobs of an array that run at once; 0: all."""
    setup: tuple[str, ...] = ()
    """Shell lines that run before a job's work: modules, environment. Secrets do not belong here."""
    python: str = ""
    """What starts Python in a SLURM job, if not the driver's own: `apptainer exec --nv coopt.sif python`."""
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Any further sbatch option by its long name, for example `{reservation = "x"}`."""
    attempts: int = Field(3, ge=1)
    """How often a task is tried before the run stops."""
    timeouts: int = Field(20, ge=0)
    """How often a job may be requeued at its time limit, for each of its tasks, before that counts as a failure."""
    poll_seconds: float = Field(5.0, gt=0)
    """Seconds between two queries of the queue."""
