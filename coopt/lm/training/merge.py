"""Identical work once: rows of a step put together by what the student reads and writes, then as tensors."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch

from coopt.lm.training.base import TrainRow
from coopt.lm.training.trees import Ids


class Target(NamedTuple):
    """What a response is to be trained towards: after which prompt the teacher reads it, and its advantage."""

    prompt: Ids
    advantage: float = 1.0
    weight: float = 1.0
    """In the loss, of the mean of the tokens' losses."""
    drawn: tuple[float, ...] = ()
    """The engine's log-probs of the response's tokens; empty: it was drawn by the trainer's own model, or by none."""
    given: float | None = None


class StudentRow(NamedTuple):
    """A distinct (prompt, response) with its distinct targets."""

    prompt: Ids
    response: Ids
    targets: list[Target]
    teacher: str = ""
    kind: str = ""
    old: tuple[float, ...] = ()
    """The student's own log-probs at the start of the step, if it has several updates."""


def merge(rows: Sequence[TrainRow], rollouts: int) -> list[StudentRow]:
    """Identical rows computed once: exact, because the loss is a sum of w_i min(pi / mu_i, cap) l_t over rows i.

    Rows of one target share pi and l_t, so their weights add up, and 1 / mu is the weighted mean of theirs (exact but
    for a cap between them; engines give equal tokens log-probs that differ by rounding only). A row that no other
    engine drew has no mu: it stays a target of its own.
    """
    alike = tuple[Ids, float, bool, float | None]
    found: dict[tuple[Ids, Ids, str, str], dict[alike, list[TrainRow]]] = defaultdict(dict)
    for row in rows:
        # The student's forward depends on prompt and response alone; teacher and kind are part of the key because a
        # micro-batch has one of each.
        own = found[row.student_prompt, row.response, row.teacher, row.kind]
        own.setdefault((row.teacher_prompt, row.advantage, bool(row.logprobs), row.given), []).append(row)
    return [
        StudentRow(prompt, response, [_target(same, rollouts) for same in targets.values()], teacher, kind)
        for (prompt, response, teacher, kind), targets in found.items()
    ]


def _target(rows: Sequence[TrainRow], rollouts: int) -> Target:
    first, weight = rows[0], sum(row.weight for row in rows)
    return Target(first.teacher_prompt, first.advantage, weight / rollouts, _mean_drawn(rows), first.given)


def _mean_drawn(rows: Sequence[TrainRow]) -> tuple[float, ...]:
    """log mu of each token, where 1 / mu is the weighted mean of the rows' 1 / mu_i."""
    first = rows[0].logprobs
    if all(row.logprobs == first for row in rows):
        return first
    weights = [row.weight for row in rows]
    tokens = zip(*(row.logprobs for row in rows), strict=True)
    # Relative to the first: exp(-logprob) alone may be large.
    return tuple(
        mine[0] - math.log(sum(w * math.exp(mine[0] - x) for w, x in zip(weights, mine, strict=True)) / sum(weights))
        for mine in tokens
    )


class TargetSide(NamedTuple):
    """Of the N tokens of a micro-batch's targets: the place [S] of the student's token, its weight and advantage, and
    the engine's log-prob and what the row was given (NaN where there is none; None: there is none at all)."""

    place: torch.Tensor
    weight: torch.Tensor
    advantage: torch.Tensor
    drawn: torch.Tensor | None
    given: torch.Tensor | None


def target_side(batch: list[StudentRow], device: torch.device) -> TargetSide:
    index: list[int] = []
    weights: list[float] = []
    advantages: list[float] = []
    drawn: list[float] = []
    given: list[float] = []
    offset = 0
    for student in batch:
        length = len(student.response)
        for target in student.targets:
            index += range(offset, offset + length)
            # (1/|y|) sum_t: every token of a row weighs the same, and every row as much as any other (Eq. 1).
            weights += [target.weight / length] * length
            advantages += [target.advantage] * length
            # NaN marks a token whose importance is 1: it was drawn by this very model, or by none.
            drawn += target.drawn or [math.nan] * length
            given += [math.nan if target.given is None else target.given] * length
        offset += length
    wide = torch.float64
    return TargetSide(
        torch.tensor(index, device=device),
        torch.tensor(weights, device=device, dtype=wide),
        torch.tensor(advantages, device=device, dtype=wide),
        *(None if all(map(math.isnan, v)) else torch.tensor(v, device=device, dtype=wide) for v in (drawn, given)),
    )
