"""Which tasks share a job: students in lockstep, and what is too short for a start and a queue of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from coopt.core.config.schema import Config
from coopt.driver.tasks.task import Score, Task, Train
from coopt.driver.tasks.together import groups, hindrance

_SHORT = 300.0  # expected seconds of work up to which tasks share a job: a start and a queue cost minutes

Weigh = Callable[[Task], float]
"""Expected seconds of a task."""
Job = tuple[Task, ...]
"""The tasks of a job, in the order in which it performs them."""


def ranks_of(task: Task, config: Config) -> int:
    """Ranks that a job of the task starts."""
    return config.parallel.ranks if isinstance(task, Train) else 1


def shared(tasks: Sequence[Task], config: Config, workers: int, weigh: Weigh) -> list[Job]:
    """The tasks of a list as jobs, in their order. ``workers``: how many of a cluster that is this machine (``local``)
    run at once, and over how many jobs students in lockstep are dealt."""
    jobs: list[Job] = []
    for wide, same in groupby(tasks, key=lambda t: ranks_of(t, config) > 1):
        alike = list(same)
        jobs += [(t,) for t in alike] if wide else _packed(groups(alike, config, workers), config, workers, weigh)
    return jobs


def _packed(units: Sequence[Job], config: Config, workers: int, weigh: Weigh) -> Iterator[Job]:
    """Neighbours in one job: as many as was asked for, or as are done in the time that a job is worth. Students in
    lockstep who were dealt over jobs are not put together again."""
    together = not hindrance(config)
    if config.cluster.tasks_per_job:
        yield from _counted(units, config.cluster.tasks_per_job, together=together)
        return
    seconds = [max(1e-6, sum(map(weigh, unit))) for unit in units]
    # A job whose tasks are not resumed inside, as scores are not, must fit its time limit well.
    whole, most = sum(seconds), min(_SHORT, 30.0 * config.cluster.minutes)
    # On this machine nobody queues, and no worker is to be idle.
    many = max(math.ceil(whole / most), workers if together or config.cluster.kind == "local" else 1)
    before, places = 0.0, []
    for own in seconds:
        places.append(int((before + own / 2) / whole * many))
        before += own
    for _, same in groupby(zip(places, units, strict=True), key=lambda pair: pair[0]):
        yield tuple(task for _, unit in same for task in unit)


def _counted(units: Sequence[Job], most: int, *, together: bool) -> Iterator[Job]:
    job: Job = ()
    for unit in units:
        dealt = together and isinstance(unit[0], (Train, Score)) and type(unit[0]) in map(type, job)
        if job and (dealt or len(job) + len(unit) > most):
            yield job
            job = ()
        job += unit
    if job:
        yield job
