"""What a trainer is: rows with targets in, one optimizer step done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import torch

    from coopt.lm.policy import Policy
    from coopt.lm.training.batch import PromptResponse
    from coopt.lm.training.objectives import Objective, Tokens
    from coopt.lm.training.teacher import Teacher


class TrainRow(NamedTuple):
    """One response with its target. In the loss it counts ``weight`` times the mean of its tokens' losses.

    What an objective reads of it: the distribution of a teacher on the same response after ``teacher_prompt``
    (``teacher``: a peer by name, empty: the self-teacher), or its ``advantage``, or nothing (the response is imitated).
    ``logprobs``: the engine's, of the response's tokens; empty if the engine is the trainer's own model, or if no
    engine wrote them. ``kind``: which of its method's objectives it is for (``objectives.ByKind``); ``given``: a number
    of its own that this objective knows the meaning of.
    """

    student_prompt: tuple[int, ...]
    teacher_prompt: tuple[int, ...]
    response: tuple[int, ...]
    logprobs: tuple[float, ...] = ()
    teacher: str = ""
    advantage: float = 1.0
    weight: float = 1.0
    kind: str = ""
    given: float | None = None


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

    @classmethod
    def over(cls, updates: Sequence[StepStats]) -> StepStats:
        """Of the updates of one step: loss and norm are their means, the rest are sums."""
        if len(updates) == 1:
            return updates[0]
        every = [u.importance for u in updates]
        return cls(
            loss=fmean(u.loss for u in updates),
            grad_norm=fmean(u.grad_norm for u in updates),
            lr=updates[0].lr,
            active_rows=sum(u.active_rows for u in updates),
            distinct_rows=sum(u.distinct_rows for u in updates),
            trained_tokens=sum(u.trained_tokens for u in updates),
            importance=ImportanceSums(*(sum(getattr(i, f.name) for i in every) for f in fields(ImportanceSums))),
            seconds={part: sum(u.seconds[part] for u in updates) for part in updates[0].seconds},
        )


class Trainer(Protocol):
    """Updates one policy: in one process (``coopt.lm.training.trainer.LocalTrainer``) or sharded over ranks
    (``coopt.lm.training.sharded.ShardedTrainer``), whose ranks call every method together with equal arguments."""

    policy: Policy
    objective: Objective
    peers: Mapping[str, Policy]
    """Frozen models, by name, that rows may have as their teacher."""
    teacher: Teacher
    step: int

    def update(self, rows: Sequence[TrainRow], rollouts: int) -> StepStats:
        """One training step, one optimizer update; the loss is divided by ``rollouts``, trained on or not."""
        ...

    def update_in_parts(self, parts: Sequence[Sequence[TrainRow]], rollouts: int) -> StepStats:
        """One training step, an optimizer update on each part (``rollouts``: of a part). The teacher follows once."""
        ...

    def logprobs(self, sequences: Sequence[PromptResponse], peer: str = "") -> list[list[float]]:
        """Log-probability of every response token by the student, or by a peer."""
        ...

    def measure(self, rows: Sequence[TrainRow], what: Callable[[Tokens], torch.Tensor]) -> list[list[float]]:
        """``what`` [N] of every response token, of what the next update's objectives will read: without gradient."""
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

    def load(self, directory: Path, *, optimizer: bool = True, teacher: bool = True) -> None:
        """Restore what ``save`` wrote; without ``optimizer`` it begins anew, without ``teacher`` that begins as the
        student of now. Raises ``TornCheckpointError``."""
        ...

    def settle(self) -> None:
        """Return when nothing is written in the background any more."""
        ...
