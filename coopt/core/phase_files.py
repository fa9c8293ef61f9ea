"""What one phase (a tutee's training in one round) leaves on disk, beside one another in the round's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.outside.shapes import Shape
from coopt.core.shapes.answers import EVALUATIONS
from coopt.core.shapes.steps import ADVANTAGES, ROLLOUTS, STEPS


@dataclass(frozen=True)
class PhaseFiles:
    """``folder`` is complete when the phase is; the files beside it grow step by step."""

    folder: Path

    @property
    def model(self) -> Path:
        """A Hugging Face directory."""
        return self.folder / "model"

    @property
    def state(self) -> Path:
        """What the next round goes on from."""
        return self.folder / "state"

    @property
    def steps(self) -> Path:
        """One record a step."""
        return self._beside("steps.jsonl")

    @property
    def rollouts(self) -> Path:
        """One record a prompt of a step."""
        return self._beside("rollouts.jsonl")

    @property
    def advantages(self) -> Path:
        """One record a rollout whose advantages were recorded."""
        return self._beside("advantages.jsonl")

    @property
    def evaluations(self) -> Path:
        """One record a validation score between the ends of rounds."""
        return self._beside("evaluations.jsonl")

    @property
    def lines(self) -> tuple[Path, ...]:
        """The files of records, each of which says its step."""
        return self.steps, self.rollouts, self.advantages, self.evaluations

    @property
    def transcripts(self) -> tuple[Path, ...]:
        """Those that no table is made from: they may be deleted."""
        return self.rollouts, self.advantages

    def read(self, path: Path) -> list[Any]:
        """The records of one of ``lines``, those of a finished phase as it left them. Raises ``DamagedError``."""
        if path in self.transcripts and not path.exists():
            return []
        return store.read_sealed_lines(path, self.folder, self._shapes[path])

    @property
    def _shapes(self) -> dict[Path, Shape]:
        return dict(zip(self.lines, (STEPS, ROLLOUTS, ADVANTAGES, EVALUATIONS), strict=True))

    def read_steps(self) -> list[Any]:
        return self.read(self.steps)

    def read_rollouts(self) -> list[Any]:
        return self.read(self.rollouts)

    @property
    def checkpoints(self) -> Path:
        """There only while the phase trains."""
        return self._beside("checkpoints")

    def _beside(self, ending: str) -> Path:
        return self.folder.with_name(f"{self.folder.name}.{ending}")
