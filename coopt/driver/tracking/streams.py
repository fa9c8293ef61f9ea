"""What a tracker's process is told of a run: where the files of every student lie. It needs neither the run's graph nor
its methods, which may stand in a user's script."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from coopt import __version__
from coopt.core import store
from coopt.core.config.identity import identity
from coopt.core.outside.shapes import NAME
from coopt.methods.base import Average
from coopt.runs.run import Run


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoundFiles(_Plain):
    """Of one student: its phase folder, and its scores after the round. Round 0 has no phase."""

    folder: Path
    validation: Path
    test: Path


class Stream(_Plain):
    """One student in one method and seed: one tracked run."""

    seed: int
    method: str
    student: str
    native: str
    """Its own domain; empty: none."""
    steps: int
    """Of a round; 0: the method only averages, once."""
    evaluate_every: int
    rounds: tuple[RoundFiles, ...]
    """From round 0."""

    @property
    def name(self) -> str:
        return f"{self.method} seed {self.seed} {self.student}"


class Told(_Plain):
    """All that a tracker's process needs."""

    tracker: str
    project: str
    bench: str
    """The name under which the tracked runs are grouped."""
    token: str
    """Tells this run's folder from others of the same name."""
    journal: Path
    folder: Path
    """For what is kept of tracking."""
    settings: dict[str, Any]
    streams: tuple[Stream, ...]


def told(run: Run, tracker: str) -> Told:
    """What the process of a tracker is told."""
    folder = run.directory.resolve() / "tracking"
    token = folder / "token.json"
    store.create_json(token, secrets.token_hex(4))
    return Told(
        tracker=tracker,
        project=run.config.tracking.project,
        bench=run.directory.resolve().name,
        token=store.read_json(token, NAME),
        journal=run.journal_path.resolve(),
        folder=folder,
        settings=identity(run.config) | {"coopt": __version__},
        streams=tuple(_stream(run, s, m, who) for s in run.seeds for m in run.config.methods
                      for who in run.topology.students),
    )  # fmt: skip


def _stream(run: Run, seed: int, method: str, student: str) -> Stream:
    rounds = run.settings_of(method).rounds
    averages = isinstance(run.method(method), Average)
    return Stream(
        seed=seed,
        method=method,
        student=student,
        native=run.topology.native.get(student) or "",
        steps=0 if averages else rounds.steps,
        evaluate_every=rounds.evaluate_every,
        rounds=tuple(_files(run, seed, method, r, student) for r in range(run.rounds_of(method) + 1)),
    )


def _files(run: Run, seed: int, method: str, round_: int, student: str) -> RoundFiles:
    return RoundFiles(
        folder=run.phase_dir(seed, method, round_, student).resolve(),
        validation=run.scores_path(seed, method, "validation", round_, student).resolve(),
        test=run.scores_path(seed, method, "test", round_, student).resolve(),
    )
