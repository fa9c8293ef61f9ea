"""What is written down of a training step."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Sequence
from typing import Any

from coopt.lm.training.base import ImportanceSums, StepStats
from coopt.methods.rollouts import Rollout, RolloutGroup, Told, all_rollouts
from coopt.methods.step import Learnt, Step


def step_record(step: Step, learnt: Learnt, stats: StepStats) -> dict[str, Any]:
    """What a step did: loss, rewards, feedback outcomes per tutor, tokens, seconds."""
    groups, rollouts, tutors = learnt.groups, all_rollouts(learnt.groups), list(step.tutee.tutors)
    own = {name: [m for y in rollouts for m in y.told if m.tutor == name] for name in tutors}
    return {
        "step": step.number,
        "loss": stats.loss,
        "grad_norm": stats.grad_norm,
        "lr": stats.lr,
        "rollouts": len(rollouts),
        "examples": learnt.examples,
        "correct": sum(sum(g.rewards) for g in groups),
        "unparsed": sum(not y.read for y in rollouts),
        "unfinished": sum(not y.generation.finished for y in rollouts),
        "prompts": len(groups),
        "prompts_without_correct": sum(not any(g.rewards) for g in groups),
        "active_rows": stats.active_rows,
        "distinct_rows": stats.distinct_rows,
        "feedback_on": bool(tutors),
        "outcomes": {name: Counter(m.feedback.outcome for m in ms if m.feedback) for name, ms in own.items()},
        "told": {name: _told_record(ms) for name, ms in own.items()},
        "tokens": {
            "rollout": sum(len(y.tokens) for y in rollouts) + learnt.more_tokens,
            "feedback": _feedback_tokens(step, learnt),
            "trained": stats.trained_tokens,
        },
        "memory_gib": peak_memory_gib(),
        "seconds": {k: round(v, 4) for k, v in (step.clock.total() | stats.seconds).items()},
        "too_long": learnt.too_long,
        "no_target": max(0, learnt.examples - stats.active_rows),  # an example may be several rows
        "away": dict(step.tutee.away),
        **_importance_record(stats.importance),
        **learnt.counts,
    }


def _told_record(messages: Sequence[Told]) -> dict[str, int]:
    return {
        "revealed": sum(m.feedback.revealed for m in messages if m.feedback),
        "leaked": sum(m.feedback.leaked for m in messages if m.feedback),
        "unread": sum(m.unread for m in messages),
        "voted_down": sum(m.voted_down for m in messages),
    }


def _feedback_tokens(step: Step, learnt: Learnt) -> int:
    """Of everything that tutors wrote, in the tutee's tokens."""
    # Tokens of the tutee, whoever wrote: one unit for all methods and tutors.
    texts = (*written(learnt.groups), *learnt.texts)
    return sum(len(step.policy.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)


def _importance_record(weights: ImportanceSums) -> dict[str, Any]:
    """Nothing where the engine is the trainer's own model."""
    if not weights.tokens:
        return {}
    return {"importance": {"mean": weights.total / weights.tokens, "at_cap": weights.capped / weights.tokens}}


def written(groups: Sequence[RolloutGroup]) -> list[str]:
    """What the tutors wrote on rollouts, critiques and judgements, each distinct request answered once."""
    critiques: set[tuple[str, str, str, str]] = set()
    judgements: set[tuple[str, str, str, str]] = set()
    for y in all_rollouts(groups):
        critiques |= {(y.item.id, y.text, m.tutor, m.raw) for m in y.told}
        judgements |= {(y.item.id, judge, m.raw, raw) for m in y.told for judge, raw in m.judgements}
    return [*(raw for *_, raw in critiques), *(raw for *_, raw in judgements)]


def peak_memory_gib() -> float:
    """The most memory that this process has held: on the GPU if there is one, else resident on the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved() / 2**30  # what others cannot have
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # Linux counts in KiB


def group_records(step: int, groups: Sequence[RolloutGroup]) -> list[dict[str, Any]]:
    """The rollouts of a step as they are kept, one record a prompt: texts, rewards, and what the tutors said."""
    return [
        {
            "step": step,
            "item": group.item.id,
            "domain": group.item.domain,
            "rollouts": [_rollout_record(y) for y in group.rollouts],
            **group.notes,
        }
        for group in groups
    ]


def _rollout_record(y: Rollout) -> dict[str, Any]:
    return {
        "text": y.text,
        "reward": y.reward,
        "has_demonstration": y.demonstration is not None,
        "messages": [_message_record(m) for m in y.told],
    }


def _message_record(message: Told) -> dict[str, Any]:
    return {
        "tutor": message.tutor,
        "raw": message.raw,
        "outcome": message.feedback.outcome if message.feedback else None,
        "kept": message.feedback.text if message.feedback else None,
        "score": message.score,
        "voted_down": message.voted_down,
    }
