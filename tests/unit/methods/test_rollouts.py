"""Rollouts are never changed: what becomes of them are new ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.graph.topology import Style
from coopt.lm.policy import Policy
from coopt.methods.phase import Phase
from coopt.methods.registry import make_method
from coopt.methods.rollouts import PLAIN, all_rollouts
from coopt.methods.step import Learnt, Step
from coopt.methods.tutors.base import Request
from tests.unit.small_phases import answered, learnt_from, small_phase


class Talkative:
    """A tutor that plays every part."""

    style: Style = "naive"

    def critique(self, requests: Sequence[Request]) -> list[str | None]:
        return [f"mind your {len(r.response)} words" for r in requests]

    mistakes = rationale = critique

    def judge(self, requests: Sequence[Request]) -> list[str | None]:
        return ["score 5"] * len(requests)

    judge_rationale = judge_rationale_given = judge


def phase(policy: Policy, folder: Path, name: str) -> Phase:
    method = make_method(name)
    settings = ["rounds.prompts=2", "rounds.rollouts=4", "feedback.assign=committee"]
    tutors = {n: Talkative() for n in ("a", "b", "c")} if name not in ("sdpo", "grpo") else {}
    return small_phase(policy, folder, method, load_config(settings=settings), tutors, reviewed=True)


def learnt(made: Phase) -> tuple[Step, Learnt]:
    """A step of two questions, with right and wrong rollouts of each; and that it has left everything as it was."""
    step = Step(made.tutee, 0, made.order.batch(0, 2))
    groups = [answered(i, rewards, prompt=step.prompt_ids(i)) for i, rewards in zip(step.items, REWARDS, strict=True)]
    before = copy.deepcopy((groups, step.items, step.tutee.open_tutors, step.tutee.away))
    found = learnt_from(made.method, step, groups)
    assert (groups, step.items, step.tutee.open_tutors, step.tutee.away) == before
    return step, found


REWARDS = [1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize("name", ["sdpo", "opcod", "shuffled", "grpo", "fair"])
def test_a_method_changes_nothing_that_it_was_given(untrained: Policy, tmp_path: Path, name: str) -> None:
    """What was rolled out is there again in what it hands back, in its place, with what became of it."""
    _, found = learnt(phase(untrained, tmp_path, name))
    assert any(found.parts)
    assert [g.rewards for g in found.groups] == list(REWARDS)
    assert [y.text for y in all_rollouts(found.groups)] == ["y0", "y1", "y2", "y3"] * 2
    told = {"opcod": [1] * 8, "shuffled": [1] * 8, "fair": [0, 3, 3, 0, 3, 3, 0, 3]}
    assert [len(y.told) for y in all_rollouts(found.groups)] == told.get(name, [0] * 8)
    assert {m.score for y in all_rollouts(found.groups) for m in y.told} <= ({None} if name == "fair" else {5.0})
    assert any(y.context != PLAIN for y in all_rollouts(found.groups)) == (name not in ("grpo", "fair"))


def test_the_same_step_can_be_learnt_from_again(untrained: Policy, tmp_path: Path) -> None:
    made = phase(untrained, tmp_path, "opcod")
    step, first = learnt(made)
    groups = [answered(i, rewards, prompt=step.prompt_ids(i)) for i, rewards in zip(step.items, REWARDS, strict=True)]
    assert learnt_from(made.method, step, groups) == first


def test_nobody_can_change_a_rollout_or_what_was_learnt(untrained: Policy, tmp_path: Path) -> None:
    _, found = learnt(phase(untrained, tmp_path, "opcod"))
    group = found.groups[0]
    for what, field in ((found, "examples"), (group, "rollouts"), (group.rollouts[0], "reward")):
        with pytest.raises(FrozenInstanceError):
            setattr(what, field, 0)
