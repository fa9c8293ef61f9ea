"""What a trainer is: rows with targets in, one optimizer step done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    """Updates one policy. ``coopt.training.trainer.LocalTrainer`` is the one-process trainer."""

    policy: Policy
    teacher: Teacher
    step: int

    def update(self, rows: Sequence[TrainRow], rollouts: int) -> StepStats:
        """One optimizer step on ``rows``; the loss is divided by ``rollouts``, trained on or not."""
        ...
