"""Phases of a real run on the embedded world, one step at a time: what benchmarks of a step are made of."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from coopt.core.config.load import load_config
from coopt.core.names import INIT
from coopt.core.processes import set_up_torch
from coopt.driver.folder import prepare
from coopt.driver.tasks.launch import Launcher
from coopt.driver.tasks.perform import phase_of
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Score, Specialise, Train
from coopt.methods.phase import Phase, train_step
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import Run

METHOD = "opcod"


@contextmanager
def started_run(**settings: Any) -> Iterator[Run]:
    """A run whose students are made and scored, as a phase wants it, and nothing else. This process gets one torch
    thread, as a worker has."""
    set_up_torch(1)
    config = load_config(**settings, methods=[METHOD], settings=["data.validation=20"])
    with tempfile.TemporaryDirectory() as folder:
        run = prepare(config, Path(folder) / "run", ["benchmarks.perf"])
        starts = [Specialise(config.seed, s) for s in run.starts()]
        scores = [Score(config.seed, INIT, 0, s, "validation") for s in run.starts()]
        display = Display(Console(quiet=True), 1.0, lambda task: 0.0)
        with Launcher(run, os.cpu_count() or 1, display) as launch:
            launch(starts)
            launch(scores)
        yield run


def phase_with(run: Run, tutee: str, tutors: Sequence[str]) -> Phase:
    """The first phase of a tutee; the edges from ``tutors`` are open, and no others."""
    config = run.config
    told_by = tuple(OpenTutor(t, 0, config.domains) for t in tutors)
    return phase_of(Train(config.seed, METHOD, 1, tutee, told_by), run, None)


class Stepper:
    """Takes the phase's steps one after another."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self.records: list[dict[str, Any]] = []

    def seconds(self, steps: int = 1) -> float:
        """Of the mean one of the next steps."""
        taken = [train_step(self.phase, len(self.records) + k)[0] for k in range(steps)]
        self.records += taken
        return statistics.fmean(record["seconds"]["total"] for record in taken)

    def parts(self) -> str:
        """Median milliseconds of every part of a step; the first step is not counted."""
        medians = {
            part: 1000 * statistics.median(r["seconds"][part] for r in self.records[1:])
            for part in ("rollout", "feedback", "teacher", "student", "total")
        }
        rows = statistics.fmean(r["distinct_rows"] for r in self.records[1:])
        return ", ".join(f"{part} {ms:,.0f} ms" for part, ms in medians.items()) + f"; {rows:.0f} distinct rows a step"
