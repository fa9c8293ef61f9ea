"""What is written down of a training step."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from coopt.lm.training.base import StepStats
from coopt.methods.base import Messages, RolloutGroup, Told

if TYPE_CHECKING:
    from coopt.methods.step import Step


PARTS = ("rollout", "feedback", "update")


class Clock:
    """Seconds per part of a step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.started = self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] += now - self._last
        self._last = now

    def total(self) -> dict[str, float]:
        """The parts, and all of the step until now."""
        return {**self.seconds, "total": time.perf_counter() - self.started}


def step_record(step: Step, stats: StepStats) -> dict[str, Any]:
    """What a step did: loss, rewards, feedback outcomes per tutor, tokens, seconds."""
    groups, messages, tutors = step.groups, step.told, list(step.phase.tutors)
    rollouts = [y for g in groups for y in g.rollouts]
    said = [m for row in messages for told in row for m in told]
    own = {name: [m for m in said if m.tutor == name] for name in tutors}
    outcomes = {name: Counter(m.feedback.outcome for m in ms if m.feedback) for name, ms in own.items()}
    told = {
        name: {
            "revealed": sum(m.feedback.revealed for m in ms if m.feedback),
            "leaked": sum(m.feedback.leaked for m in ms if m.feedback),
            "unread": sum(m.unread for m in ms),
            "voted_down": sum(m.voted_down for m in ms),
        }
        for name, ms in own.items()
    }
    tokenizer = step.policy.tokenizer
    feedback_tokens = sum(
        len(tokenizer(text, add_special_tokens=False)["input_ids"])
        for text in (*written(groups, messages), *step.texts)
    )
    weights = stats.importance
    importance = (
        {"mean": weights.total / weights.tokens, "at_cap": weights.capped / weights.tokens} if weights.tokens else None
    )
    return {
        "step": step.number,
        "loss": stats.loss,
        "grad_norm": stats.grad_norm,
        "lr": stats.lr,
        "rollouts": len(rollouts),
        "examples": step.examples,
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
        "seconds": {k: round(v, 4) for k, v in (step.clock.total() | stats.seconds).items()},
        "too_long": step.too_long,
        "no_target": max(0, step.examples - stats.active_rows),  # an example may be several rows
        "away": dict(step.phase.away),
        **({"importance": importance} if importance else {}),
        **step.counts,
    }


def written(groups: Sequence[RolloutGroup], messages: Messages) -> list[str]:
    """What the tutors wrote in a step, critiques and judgements, each distinct request answered once."""
    critiques: set[tuple[str, str, str, str]] = set()
    judgements: set[tuple[str, str, str, str]] = set()
    for group, row in zip(groups, messages, strict=True):
        for y, said in zip(group.rollouts, row, strict=True):
            critiques |= {(group.item.id, y.text, m.tutor, m.raw) for m in said}
            judgements |= {(group.item.id, judge, m.raw, raw) for m in said for judge, raw in m.judgements}
    return [*(raw for *_, raw in critiques), *(raw for *_, raw in judgements)]


def peak_memory_gib() -> float:
    """The most memory that this process has held: on the GPU if there is one, else resident on the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB


def group_records(step: Step) -> list[dict[str, Any]]:
    """The rollouts of a step as they are kept, one record a prompt: texts, rewards, and what the tutors said."""
    notes = step.notes or [{} for _ in step.groups]
    parts = zip(step.groups, step.demonstrations, step.told, strict=True)
    return [_group_record(step.number, *part) | note for part, note in zip(parts, notes, strict=True)]


def _group_record(
    step: int, group: RolloutGroup, demonstrations: Sequence[str | None], messages: Sequence[Sequence[Told]]
) -> dict[str, Any]:
    return {
        "step": step,
        "item": group.item.id,
        "domain": group.item.domain,
        "rollouts": [
            {
                "text": y.text,
                "reward": reward,
                "has_demonstration": s is not None,
                "messages": [
                    {
                        "tutor": m.tutor,
                        "raw": m.raw,
                        "outcome": m.feedback.outcome if m.feedback else None,
                        "kept": m.feedback.text if m.feedback else None,
                        "score": m.score,
                        "voted_down": m.voted_down,
                    }
                    for m in said
                ],
            }
            for y, reward, s, said in zip(group.rollouts, group.rewards, demonstrations, messages, strict=True)
        ],
    }
