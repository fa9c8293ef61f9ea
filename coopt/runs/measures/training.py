"""Reward and loss by training step, of a run that is finished or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from coopt.core import store
from coopt.core.shapes.steps import STEPS
from coopt.runs.run import Run

EVERYONE = "mean of all students"
_MOST_POINTS = 200
"""Of a line: of longer ones, means of as many steps each as are needed."""


class TrainingPoint(NamedTuple):
    """What the steps up to ``step`` (from 1, over the whole run) were like, mean of the seeds that are there.
    ``reward``: share of correct rollouts, in [0, 1]; None of a method that rolls nothing out."""

    method: str
    student: str
    step: int
    reward: float | None
    loss: float


def training_points(run: Run) -> list[TrainingPoint]:
    """Of each method and student, and of all students together (``EVERYONE``)."""
    found: dict[tuple[str, str, int], list[_Step]] = {}
    for place in run.phases():
        path = run.phase_files(*place).steps
        if path.is_file():
            for step in _steps(path, path.stat().st_size):
                for student in (place.tutee, EVERYONE):
                    found.setdefault((place.method, student, step.number), []).append(step)
    lines: dict[tuple[str, str], list[TrainingPoint]] = {}
    for (method, student, number), steps in sorted(found.items(), key=lambda pair: pair[0][2]):
        point = TrainingPoint(method, student, number, _mean(s.reward for s in steps), fmean(s.loss for s in steps))
        lines.setdefault((method, student), []).append(point)
    return [p for line in lines.values() for p in _thinned(line)]


class _Step(NamedTuple):
    number: int
    reward: float | None
    loss: float


@lru_cache(maxsize=4096)
def _steps(path: Path, size: int) -> tuple[_Step, ...]:
    """A phase's steps; read again only when its file has grown."""
    return tuple(_step(line) for line in store.read_lines(path, STEPS))


def _step(line: Mapping[str, Any]) -> _Step:
    rollouts = line.get("rollouts") or 0
    return _Step(line["step"] + 1, line["correct"] / rollouts if rollouts else None, line["loss"])


def _thinned(line: Sequence[TrainingPoint]) -> Iterator[TrainingPoint]:
    size = -(-len(line) // _MOST_POINTS)
    for k in range(0, len(line), size):
        own = line[k : k + size]
        yield own[-1]._replace(reward=_mean(p.reward for p in own), loss=fmean(p.loss for p in own))


def _mean(values: Iterator[float | None]) -> float | None:
    found = [v for v in values if v is not None]
    return fmean(found) if found else None
