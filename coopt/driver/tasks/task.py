"""The tasks of a run: each reads what lies on disk and leaves one complete file or folder.

A task that has left its output is done, whoever ran it; so a killed run goes on where it was, and the same
tasks can run inline, in worker processes or elsewhere. What is done in one stands in ``perform``, which imports torch.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from coopt.core import store
from coopt.core.names import BASE, INIT
from coopt.core.phase_files import PhaseFiles
from coopt.domains.base import Split
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import Run


@dataclass(frozen=True)
class Specialise:
    """Make one initial student."""

    seed: int
    student: str

    @property
    def what(self) -> str:
        return "specialists"

    def output(self, run: Run) -> Path:
        return run.phase_dir(self.seed, INIT, 0, self.student)

    def label(self) -> str:
        return f"seed {self.seed} specialist {self.student}"


@dataclass(frozen=True)
class Score:
    """Score one student (or the base model) after a round on a split."""

    seed: int
    method: str
    round: int
    student: str
    split: Split

    @property
    def what(self) -> str:
        return f"{self.split} scores"

    def output(self, run: Run) -> Path:
        return run.scores_path(self.seed, self.method, self.split, self.round, self.student)

    def label(self) -> str:
        who = "base" if self.method == BASE else f"{self.student} {self.method if self.round else INIT}"
        return f"seed {self.seed} {self.split} scores {who} round {self.round}"


@dataclass(frozen=True)
class Train:
    """Train one tutee for one round."""

    seed: int
    method: str
    round: int
    tutee: str
    tutors: tuple[OpenTutor, ...]

    @property
    def what(self) -> str:
        return f"training {self.method}"

    def output(self, run: Run) -> Path:
        return run.phase_dir(self.seed, self.method, self.round, self.tutee)

    def label(self) -> str:
        return f"seed {self.seed} {self.method} round {self.round} {self.tutee}"


@dataclass(frozen=True)
class Merge:
    """Give one student the mean of all students' weights: all that the only round of an ``Average`` method is."""

    seed: int
    method: str
    student: str
    round: int = 1

    @property
    def what(self) -> str:
        return f"training {self.method}"

    def output(self, run: Run) -> Path:
        return run.phase_dir(self.seed, self.method, self.round, self.student)

    def label(self) -> str:
        return f"seed {self.seed} {self.method} round {self.round} {self.student}"


@dataclass(frozen=True)
class BreakRate:
    """Probe the edges of ``tutors`` into one initial student."""

    seed: int
    tutee: str
    tutors: tuple[OpenTutor, ...]

    @property
    def what(self) -> str:
        return "break-rate probe"

    def output(self, run: Run) -> Path:
        return run.break_rate_path(self.seed, self.tutee)

    def label(self) -> str:
        return f"seed {self.seed} break-rate {self.tutee}"


Task = Specialise | Score | Train | Merge | BreakRate
"""One piece of work with one output. ``what``: the row of the plan in which it is counted."""


def beside(task: Task, run: Run) -> tuple[Path, ...]:
    """What a task leaves beside its output; some of it only in some runs."""
    match task:
        case Train():
            return PhaseFiles(task.output(run)).lines
        case BreakRate():
            return (run.probe_texts_path(task.seed, task.tutee),)
        case _:
            return ()


def is_done(task: Task, run: Run) -> bool:
    """A file is written atomically, a folder is marked complete last."""
    return is_output(task.output(run))


def is_output(path: Path) -> bool:
    """Whether a finished task left this."""
    return path.is_file() or store.is_complete(path)


def look_again(path: Path) -> None:
    """Have a network's file system look again whether this is there: it remembers for a while that it was not, until
    the folder is listed."""
    for folder in (path.parent, path):
        with suppress(OSError):
            os.listdir(folder)


def slug(label: str) -> str:
    """A task's label as the name of a file."""
    return label.replace(" ", "_")


def meter_path(task: Task, run: Run) -> Path:
    """Where a task under way says how far it is (``coopt.core.meter``)."""
    return run.directory / "progress" / f"{slug(task.label())}.json"
