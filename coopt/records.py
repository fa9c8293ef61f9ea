"""What is written down of a training step."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coopt.methods.base import RolloutGroup, Told
from coopt.training.base import StepStats

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Clock:
    """Seconds per part of a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self._last = now


def step_record(
    step: int,
    groups: Sequence[RolloutGroup],
    feedback: Sequence[Sequence[Told | None]],
    stats: StepStats,
    clock: Clock,
    tutors: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
) -> dict[str, Any]:
    """What a step did: loss, rewards, feedback outcomes per tutor, tokens, seconds."""
    rollouts = [y for g in groups for y in g.rollouts]
    said = [t for told in feedback for t in told if t is not None]
    outcomes = {name: Counter(t.feedback.outcome for t in said if t.tutor == name and t.feedback) for name in tutors}
    told = {
        name: {
            "revealed": sum(t.feedback.revealed for t in said if t.tutor == name and t.feedback),
            "leaked": sum(t.feedback.leaked for t in said if t.tutor == name and t.feedback),
            "unread": sum(t.unread for t in said if t.tutor == name),
        }
        for name in tutors
    }
    distinct = {
        (group.item.id, y.text, t.raw)
        for group, row in zip(groups, feedback, strict=True)
        for y, t in zip(group.rollouts, row, strict=True)
        if t is not None
    }
    feedback_tokens = sum(len(tokenizer(raw, add_special_tokens=False)["input_ids"]) for _, _, raw in distinct)
    seconds = {**clock.seconds, **stats.seconds, "total": time.perf_counter() - clock.started}
    return {
        "step": step,
        "loss": stats.loss,
        "grad_norm": stats.grad_norm,
        "lr": stats.lr,
        "rollouts": len(rollouts),
        "correct": sum(sum(g.rewards) for g in groups),
        "prompts": len(groups),
        "prompts_without_correct": sum(not any(g.rewards) for g in groups),
        "active_rows": stats.active_rows,
        "distinct_rows": stats.distinct_rows,
        "feedback_on": bool(tutors),
        "outcomes": outcomes,
        "told": told,
        "tokens": {
            "rollout": sum(len(y.tokens) for y in rollouts),
            "feedback": feedback_tokens,
            "trained": stats.trained_tokens,
        },
        "memory_gib": peak_memory_gib(),
        "seconds": {k: round(v, 4) for k, v in seconds.items()},
    }


def peak_memory_gib() -> float:
    """The most memory that this process has held: on the GPU if there is one, else resident on the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB


def group_record(
    step: int, group: RolloutGroup, demonstrations: Sequence[str | None], feedback: Sequence[Told | None]
) -> dict[str, Any]:
    """The rollouts of a prompt as they are kept: texts, rewards, and what the tutors said."""
    return {
        "step": step,
        "item": group.item.id,
        "domain": group.item.domain,
        "rollouts": [
            {
                "text": y.text,
                "reward": reward,
                "has_demonstration": s is not None,
                "tutor": t.tutor if t else None,
                "raw_feedback": t.raw if t else None,
                "outcome": t.feedback.outcome if t and t.feedback else None,
            }
            for y, reward, s, t in zip(group.rollouts, group.rewards, demonstrations, feedback, strict=True)
        ],
    }
