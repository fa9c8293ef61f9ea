"""What a run has submitted, each submission in a file: which tasks, as which jobs, under which name and ids."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from secrets import token_hex
from typing import Any

from coopt.core import store
from coopt.core.shapes.jobs import BATCH, places_of
from coopt.driver.slurm.queue import queue_of
from coopt.driver.tasks.task import slug


class Batches:
    """The submissions of a run. Only its driver writes them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.folder = directory / "jobs" / "batches"
        self.cancelled = directory / "jobs" / "cancelled"
        self.seen = directory / "jobs" / "seen.jsonl"
        self.run = _run_name(directory)

    def all(self) -> list[dict[str, Any]]:
        """name, kind, time, tasks (`task`, `attempt`, `output`), ids (None until they are known) and number."""
        files = sorted(p for p in self.folder.glob("*.json") if p.stem.isdecimal())
        return [store.read_json(p, BATCH) | {"number": int(p.stem)} for p in files]

    def open(self, kind: str, tasks: Sequence[tuple[str, str]], places: Sequence[int] = ()) -> dict[str, Any]:
        """Write down what is about to be submitted: (label, output under the run) of each task. ``places``: of their
        jobs in the array, in order; by default each task is a job.

        The name is the run, the tasks (an array: what their labels share) and the attempt; the token tells it from a
        deleted run's of the same name.
        """
        before = self.all()
        attempts = [1 + _attempts(before, task) for task, _ in tasks]
        entries = [
            {"task": t, "attempt": n, "output": output, "job": place}
            for (t, output), n, place in zip(tasks, attempts, places or range(len(tasks)), strict=True)
        ]
        name = self.name([t for t, _ in tasks], max(attempts), token_hex(3))
        batch = {"name": name, "kind": kind, "time": time.time(), "tasks": entries, "ids": None}
        number = 1 + max((b["number"] for b in before), default=0)
        store.write_json(self.folder / f"{number:04d}.json", batch)
        return batch | {"number": number}

    def name(self, labels: Sequence[str], attempt: int, token: str) -> str:
        """What the queue shows of a submission."""
        return f"coopt.{self.run}.{_shared(labels)}.a{attempt}.{token}"

    def close(self, batch: dict[str, Any], ids: Sequence[str] | None) -> None:
        """Write down the ids of what was submitted; None: nothing was."""
        path = self.folder / f"{batch['number']:04d}.json"
        if ids is None:
            path.unlink(missing_ok=True)
        else:
            store.write_json(path, {k: v for k, v in batch.items() if k != "number"} | {"ids": list(ids)})

    def adopt(self, batch: dict[str, Any]) -> list[str] | None:
        """The ids of a submission of which only the name is known, written down now; None if the queue has nothing of
        that name. Raises ``QueueAwayError``."""
        first = queue_of(batch["kind"], self.directory).find(batch["name"], batch["time"])
        if first is None:
            return None
        n = len(by_job(batch))
        ids = [first] if n == 1 else [f"{first}_{k}" for k in range(n)]
        self.close(batch, ids)
        return ids


def _run_name(directory: Path) -> str:
    """How the names of jobs call a run: as its folder, and a sweep's (``SUITE/ARM/seed-K``) with its suite and arm."""
    parts = directory.resolve().parts
    return ".".join(parts[-3:] if re.fullmatch(r"seed-\d+", parts[-1]) else parts[-1:])


def _attempts(batches: Iterable[dict[str, Any]], task: str) -> int:
    return sum(entry["task"] == task for batch in batches for entry in batch["tasks"])


def _shared(labels: Sequence[str]) -> str:
    """The words that all labels begin with."""
    shared: list[str] = []
    for words in zip(*(label.split() for label in labels), strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    return slug(" ".join(shared)) or "tasks"


def by_job(batch: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """The entries of a submission, those of a job together, in the order of the array."""
    placed = sorted(zip(places_of(batch), batch["tasks"], strict=True), key=lambda pair: pair[0])
    return [[entry for _, entry in same] for _, same in groupby(placed, key=lambda pair: pair[0])]
