"""Tasks that one worker performs together: adapters on one base, in lockstep (``coopt.lm.lockstep``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from math import ceil

from coopt.core.config.schema import Config
from coopt.driver.tasks.task import Score, Task, Train, meter_path
from coopt.runs.run import Run


def hindrance(config: Config) -> str:
    """Why students cannot go together; empty where they do."""
    if not config.parallel.lockstep:
        return "parallel.lockstep=false"
    if config.model.weights != "lora":
        return "all weights are trained (model.weights=full)"
    if config.parallel.ranks > 1:
        return f"each student is trained by {config.parallel.ranks} ranks"
    if not config.one_base:
        return "students are not adapters on one base (model.shared_base=false)"
    if config.parallel.activation_checkpointing:
        return "parallel.activation_checkpointing"
    if config.cluster.kind != "none" and config.cluster.tasks_per_job == 1:
        return "each student is a job (cluster.tasks_per_job=1)"
    return ""


def parts(count: int, config: Config, workers: int) -> int:
    """How many workers, or jobs of a cluster, so many students that go together are dealt over."""
    shared = config.cluster.tasks_per_job if config.cluster.kind != "none" else 0
    most = min(filter(None, (shared, config.parallel.lockstep_students)), default=count)
    return min(count, max(workers, ceil(count / most)))


def students_together(config: Config, students: int, workers: int) -> int:
    """How many of a run's students one worker, or job, trains at once."""
    if hindrance(config) or config.rounds.schedule == "sequential":
        return 1
    return ceil(students / parts(students, config, workers))


def groups(tasks: Sequence[Task], config: Config, workers: int) -> list[tuple[Task, ...]]:
    """The tasks as workers take them. What goes together is dealt over the workers, neighbours together."""
    if hindrance(config):
        return [(task,) for task in tasks]
    found: list[tuple[Task, ...]] = []
    for kind, same in groupby(tasks, key=lambda t: type(t) if isinstance(t, (Train, Score)) else t):
        alike = list(same)
        many = parts(len(alike), config, workers) if isinstance(kind, type) else len(alike)
        found += [tuple(alike[len(alike) * n // many : len(alike) * (n + 1) // many]) for n in range(many)]
    return found


def perform_together(tasks: Sequence[Task], run: Run, failed: Callable[[Task, Exception], None]) -> None:
    """Perform them side by side. The first that fails stops the others, which go on from their last checkpoints;
    ``failed`` is told which it was, and its error is raised."""
    from coopt.driver.tasks.perform import perform  # torch, which the driver does without
    from coopt.lm.lockstep import meeting

    together = meeting(run.config.engine.kind)
    try:
        together.run([partial(perform, task, run, meter_path(task, run)) for task in tasks])
    except Exception as error:
        failed(tasks[together.failed], error)
        raise
