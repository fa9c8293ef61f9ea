"""Per-token advantages of some rollouts of some steps, written beside the rollouts.

A_t = log pi_teacher(y_t | x, c, y_<t) - log pi_student(y_t | x, y_<t), with the weights that the step's loss reads,
before its update (The Role of Feedback Alignment in Self-Distillation, 2606.11173, its analysis). An objective without
a teacher has one advantage a rollout, which stands on every token (``source`` ``reward``); one that imitates has none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from tokenizers.decoders import DecodeStream

from coopt.lm.policy import Policy
from coopt.lm.training.base import TrainRow
from coopt.lm.training.objectives import Objective, PolicyGradient, of_kind, teacher_advantage
from coopt.lm.training.surrogates import Floored, ForeignSequences, Sequences
from coopt.methods.rollouts import RolloutGroup
from coopt.methods.step import Learnt, Step

Source = Literal["teacher", "reward"]
_DIGITS = 4


def advantage_records(step: Step, learnt: Learnt) -> list[dict[str, Any]]:
    """One record a rollout. Every rank must call it; the trainer's weights are not changed."""
    objective = step.tutee.trainer.objective
    # By the whole sequence: a row may have the rollout's first tokens in its prompt (sdft with skip).
    rows: dict[tuple[int, ...], TrainRow] = {}
    for row in (r for part in learnt.parts for r in part):
        rows.setdefault((*row.student_prompt, *row.response), row)
    chosen: list[tuple[Source, RolloutGroup, int, TrainRow]] = []
    for group, j in _spread(learnt.groups, step.config.record.advantages_rollouts):
        found = rows.get((*group.rollouts[j].prompt, *group.rollouts[j].tokens))
        source = None if found is None else _source(of_kind(objective, found.kind))
        if found is not None and source is not None:  # without a context there is no teacher
            chosen.append((source, group, j, found))
    taught = [row for source, *_, row in chosen if source == "teacher"]
    told = iter(step.tutee.trainer.measure(taught, teacher_advantage))
    values = [next(told) if source == "teacher" else [row.advantage] * len(row.response) for source, *_, row in chosen]
    return [
        _record(step, *which, advantages)
        for which, advantages in zip(chosen, values, strict=True)
        if all(map(math.isfinite, advantages))  # if not, the update says so and stops
    ]


def _source(objective: Objective) -> Source | None:
    """Where a token's advantage comes from. The teacher that a policy gradient may have is its KL's reference."""
    if isinstance(objective, (PolicyGradient, Floored, Sequences, ForeignSequences)):
        return "reward"
    return "teacher" if objective.reads == "teacher" else None


def _spread(groups: Sequence[RolloutGroup], limit: int) -> Iterator[tuple[RolloutGroup, int]]:
    """At most ``limit`` places, spread over the prompts: every method looks at the same ones."""
    for k in range(limit if groups else 0):
        j, p = divmod(k, len(groups))
        if j < len(groups[p].rollouts):
            yield groups[p], j


def _record(
    step: Step, source: Source, group: RolloutGroup, j: int, row: TrainRow, advantages: Sequence[float]
) -> dict[str, Any]:
    return {
        "step": step.number,
        "item": group.item.id,
        "domain": group.item.domain,
        "rollout": j,
        "reward": group.rollouts[j].reward,
        "source": source,
        "teacher": row.teacher,
        "student_reads": step.policy.decode(row.student_prompt),
        "teacher_reads": step.policy.decode(row.teacher_prompt) if source == "teacher" else None,
        "tokens": token_texts(step.policy, row.response),
        "advantages": [round(a, _DIGITS) for a in advantages],
    }


def token_texts(policy: Policy, ids: Sequence[int]) -> list[str]:
    """What each token adds to the text: joined they are the response. Of a character of several tokens the last one has
    it, and the others add nothing; nor do special tokens."""
    backend = getattr(policy.tokenizer, "backend_tokenizer", None)
    if backend is None:  # a tokenizer without the fast library
        return [policy.decode([i]) for i in ids]
    stream = DecodeStream(skip_special_tokens=True)
    return [stream.step(backend, i) or "" for i in ids]
