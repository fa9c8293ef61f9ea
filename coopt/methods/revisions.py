"""A second generation in a step: attempts written anew with what was told on them, and what each is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

from coopt.domains.wording import fill
from coopt.methods.rollouts import Rollout, RolloutGroup, all_rollouts, heard, rewritten
from coopt.methods.step import Step

Revisions = Sequence[Rollout | None]
"""Of each rollout of a group; None where there is none."""


def revise(step: Step, groups: Sequence[RolloutGroup]) -> list[Revisions]:
    """What the tutee answers when it reads each of its attempts again with what was told on it; nothing where nothing
    was, or where that leaves no room for an answer."""
    attempts = all_rollouts(groups)
    prompts = [_revision_ids(step, y) for y in attempts]
    room = step.policy.context_length - step.config.sampling.max_response_tokens
    chosen = [k for k, prompt in enumerate(prompts) if prompt and len(prompt) <= room]
    found: dict[int, Rollout] = {}
    if chosen:
        items = [attempts[k].item for k in chosen]
        again = step.draw(step.tutee.trainer.serving(), items, [prompts[k] for k in chosen], 1, "revision")
        found = {k: group.rollouts[0] for k, group in zip(chosen, again, strict=True)}
    places = iter(range(len(attempts)))
    return [[found.get(next(places)) for _ in group.rollouts] for group in groups]


def _revision_ids(step: Step, y: Rollout) -> list[int]:
    """The prompt of a revision; empty where nothing was told on the attempt."""
    said = heard(y.told) or rewritten(y.told)
    if said is None:
        return []
    wording = step.domains[y.item.domain].wording
    user = fill(wording.revision, question=y.item.prompt, response=y.shown, feedback=said)
    return step.policy.prompt_ids(wording, user)


def noted(group: RolloutGroup, revisions: Revisions) -> RolloutGroup:
    """The group with its revisions written beside its rollouts."""
    found = [{"rollout": j, "text": y.text, "reward": y.reward} for j, y in enumerate(revisions) if y is not None]
    return replace(group, notes={**group.notes, "revisions": found})


class Turns(NamedTuple):
    """Advantages of a group [rollouts]: of the attempts, and of the revisions after their own prompt and after the
    plain question (None where there is none)."""

    first: list[float]
    second: list[float | None]
    plain: list[float | None]


def turns(r0: Sequence[float], r1: Sequence[float | None], gamma: float, *, first_baseline: bool) -> Turns:
    """RLTF-SD's advantages, of the rewards of attempts and revisions. The first: r0 + gamma r1 less the group's mean.
    ``first_baseline``: the mean of the attempts is taken off a revision that is read after the plain question, and not
    that of the revisions."""
    there = [r for r in r1 if r is not None]
    b0, b1 = fmean(r0), fmean(there) if there else 0.0
    returns = [a + gamma * (b or 0.0) for a, b in zip(r0, r1, strict=True)]
    base = b0 if first_baseline else b1
    return Turns(
        [r - fmean(returns) for r in returns],
        [None if r is None else r - b1 for r in r1],
        [None if r is None else r - base for r in r1],
    )
