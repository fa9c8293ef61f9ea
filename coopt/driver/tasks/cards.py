"""The GPUs of this machine, dealt over its worker processes: each sees its own and no other.

What needs one GPU (scores, probes, specialists, a student of one rank) is dealt over all of them; a student of several
ranks has a worker that sees as many. Workers of one width end before those of another begin: they hold memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby

from coopt.core.config.schema import Config
from coopt.core.gpus import may_have_gpu
from coopt.core.processes import new_pool
from coopt.driver.tasks.task import Task, Train

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def cards_here(config: Config) -> list[str]:
    """The GPUs that a run's workers may use, by the names that CUDA knows them by; none where it computes on CPUs."""
    if not may_have_gpu():
        return []
    import torch

    from coopt.lm.device import pick_device

    if pick_device(config.run.device).type != "cuda":
        return []
    seen = os.environ.get(_VISIBLE)
    return seen.split(",") if seen else [str(k) for k in range(torch.cuda.device_count())]


def students_at_once(cards: int, config: Config, students: int) -> int:
    """Students that so many GPUs train at once, one at least: each has its ranks, or what its vLLM is split over."""
    return max(1, min(cards // _widest(config), students))


def cards_for(config: Config, workers: int, students: int) -> list[str]:
    """The GPUs that ``workers`` students at once leave to a run: all, unless somebody asked for fewer students than
    there is room for."""
    cards = cards_here(config)
    fewer = workers < students_at_once(len(cards), config, students)
    return cards[: workers * _widest(config)] if fewer else cards


def _widest(config: Config) -> int:
    return max(config.parallel.ranks, config.engine.tensor_parallel if config.engine.kind == "vllm" else 1)


def width_of(task: Task, config: Config) -> int:
    """GPUs that a task computes on."""
    ranks = config.parallel.ranks if isinstance(task, Train) else 1
    return max(ranks, config.engine.tensor_parallel if config.engine.kind == "vllm" else 1)


def by_width(tasks: Sequence[Task], config: Config) -> Iterator[tuple[int, list[Task]]]:
    """The tasks in groups of one width, narrow ones first."""
    for width, group in groupby(sorted(tasks, key=lambda t: width_of(t, config)), key=lambda t: width_of(t, config)):
        yield width, list(group)


def dealt(cards: Sequence[str], width: int) -> list[str]:
    """What each worker of a width sees. All GPUs where there are fewer than that: what is wrong is said elsewhere."""
    groups = [cards[k : k + width] for k in range(0, len(cards) - width + 1, width)]
    return [",".join(group) for group in groups] or [",".join(cards)]


def pool_on(seen: Sequence[str], threads: int) -> ProcessPoolExecutor:
    """A worker process for each entry of ``seen``, which is all that it sees of the GPUs."""
    return new_pool(len(seen), threads, {_VISIBLE: seen})
