"""What a trainer is: rows with targets in, one optimizer step done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from coopt.models.policy import Policy
    from coopt.training.teacher import Teacher


class TrainRow(NamedTuple):
    """One rollout with its target: the same response after the student's and after the teacher's prompt.

    ``logprobs``: the engine's, of the response's tokens; empty if the engine is the trainer's own model.
    """

    student_prompt: tuple[int, ...]
    teacher_prompt: tuple[int, ...]
    response: tuple[int, ...]
    logprobs: tuple[float, ...] = ()


@dataclass
class ImportanceSums:
    """Importance weights over the tokens of the loss (a token counts once for each of its teachers)."""

    tokens: int = 0
    total: float = 0.0
    capped: int = 0


@dataclass
class StepStats:
    """What an update did. Times in seconds."""

    loss: float = 0.0
    grad_norm: float = 0.0
    lr: float = 0.0
    active_rows: int = 0
    distinct_rows: int = 0
    trained_tokens: int = 0
    importance: ImportanceSums = field(default_factory=ImportanceSums)
    seconds: dict[str, float] = field(default_factory=lambda: {"teacher": 0.0, "student": 0.0})


class Trainer(Protocol):
    """Updates one policy: in one process (``coopt.training.trainer.LocalTrainer``) or sharded over ranks
    (``coopt.training.sharded.ShardedTrainer``), whose ranks call every method together with equal arguments."""

    policy: Policy
    teacher: Teacher
    step: int

    def update(self, rows: Sequence[TrainRow], rollouts: int) -> StepStats:
        """One optimizer step on ``rows``; the loss is divided by ``rollouts``, trained on or not."""
        ...

    def serving(self) -> Policy:
        """A policy with the present weights, whole, for an engine; valid until the next update."""
        ...

    def publish(self, directory: Path) -> None:
        """Write the weights as a Hugging Face directory, adapters merged."""
        ...

    def save(self, directory: Path, *, background: bool = False) -> None:
        """Write the resumable state, marked complete last. ``background``: it may be complete only after the next
        ``settle``; the state is that of the call."""
        ...

    def load(self, directory: Path, *, optimizer: bool = True) -> None:
        """Restore what ``save`` wrote; without ``optimizer`` only the student's weights. Raises
        ``TornCheckpointError``."""
        ...

    def settle(self) -> None:
        """Return when nothing is written in the background any more."""
        ...
