"""Identical work once: rows of a step put together by what the student reads and writes, then as tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch

from coopt.lm.training.base import TrainRow

Ids = tuple[int, ...]


class Target(NamedTuple):
    """What a response is to be trained towards: after which prompt the teacher reads it, and its advantage."""

    prompt: Ids
    advantage: float = 1.0


class StudentRow(NamedTuple):
    """A distinct (prompt, response) with its distinct targets and their weights."""

    prompt: Ids
    response: Ids
    targets: list[tuple[Target, float]]
    logprobs: tuple[float, ...] = ()
    """The engine's."""
    teacher: str = ""
    old: tuple[float, ...] = ()
    """The student's own at the start of the step, if it has several updates."""


def merge(rows: Sequence[TrainRow], rollouts: int) -> list[StudentRow]:
    """Identical rows computed once, with their number as weight: exact, because the loss is a sum. Log-probs of equal
    tokens differ by an engine's rounding only: the first row's stand for all."""
    logprobs: dict[tuple[Ids, Ids, str], tuple[float, ...]] = {}
    counts: dict[tuple[Ids, Ids, str], dict[Target, float]] = defaultdict(dict)
    for row in rows:
        key = row.student_prompt, row.response, row.teacher
        logprobs.setdefault(key, row.logprobs)
        target = Target(row.teacher_prompt, row.advantage)
        counts[key][target] = counts[key].get(target, 0) + row.weight
    return [
        StudentRow(key[0], key[1], [(t, n / rollouts) for t, n in targets.items()], logprobs[key], key[2])
        for key, targets in counts.items()
    ]


class TargetSide(NamedTuple):
    """Of the N tokens of a micro-batch's targets: the place [S] of the student's token, its weight and advantage."""

    place: torch.Tensor
    weight: torch.Tensor
    advantage: torch.Tensor


def target_side(batch: list[StudentRow], device: torch.device) -> TargetSide:
    index: list[int] = []
    weights: list[float] = []
    advantages: list[float] = []
    offset = 0
    for student in batch:
        length = len(student.response)
        for target, weight in student.targets:
            index += range(offset, offset + length)
            weights += [weight / length] * length
            advantages += [target.advantage] * length
        offset += length
    wide = torch.float64
    return TargetSide(
        torch.tensor(index, device=device),
        torch.tensor(weights, device=device, dtype=wide),
        torch.tensor(advantages, device=device, dtype=wide),
    )
