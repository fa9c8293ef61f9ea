"""The traps of SDPO's code that an implementation falls into (reference/sdpo-spec.md sections 0 and 2).

Tested elsewhere: reduction over dropped rollouts (0.1), rate 0 at the first step (0.6), rate and direction of the EMA
and its place in the checkpoint (0.7) in test_trainer; drop counts (0.3), earliest demonstration in test_phase; the
student's top-k with tail (0.4), special-cased ends of alpha in test_losses; capped engine weights (0.5) in
test_importance; s and f together (0.8), the reprompt's bytes in test_feedback; scorer vectors (0.9) in test_scoring;
constant answers (0.10) in test_rows; trust region (2.5) in test_teachers.
"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.domains.load import load_domains
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.algorithms.sdpo import SDPO
from coopt.methods.rollouts import RolloutGroup, all_rollouts, earliest_correct
from coopt.methods.step import Step
from coopt.methods.tutors.anchor import filter_feedback
from tests.unit.small_phases import answered, small_phase

ITEM = load_domains(load_config())["physics"].items("train")[0]


def group(texts: list[str], rewards: list[float]) -> RolloutGroup:
    return answered(ITEM, rewards, texts)


def test_a_graded_reward_of_one_half_is_a_success() -> None:
    """0.2: the shipped threshold is 0.5, reached and not passed."""
    assert earliest_correct(group(["a", "b", "c"], [0.49, 0.5, 0.0]), True) == ["b", None, "b"]


def test_a_lone_success_teaches_its_failures_and_nothing_teaches_it() -> None:
    """0.3"""
    demos = earliest_correct(group(list("abcdefgh"), [0, 0, 1, 0, 0, 0, 0, 0]), True)
    assert demos == ["c", "c", None, "c", "c", "c", "c", "c"]


def test_a_group_shows_at_most_two_demonstrations() -> None:
    """2.2: the first success to all others, the second to the first."""
    demos = earliest_correct(group(list("abcd"), [1, 1, 1, 1]), True)
    assert demos == ["b", "a", "a", "a"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<think>hm\nso</think>\n<answer>B</answer>", "<answer>B</answer>"),
        ("<think>never ends <answer>B</answer>", "<think>never ends <answer>B</answer>"),
        ("<reasoning>x</reasoning><answer>B</answer>", "<reasoning>x</reasoning><answer>B</answer>"),
    ],
)
def test_a_demonstration_shows_reasoning_and_answer_but_no_thinking(text: str, shown: str) -> None:
    """2.2"""
    assert earliest_correct(group([text, "x"], [1, 0]), True)[1] == shown


def test_what_a_tutor_thought_is_neither_read_nor_handed_on() -> None:
    thought = f"<think><concept>{ITEM.stem}</concept> it is {ITEM.answer}</think>"
    assert filter_feedback(thought + "no concept", ITEM, "text").outcome == "no_concept_tag"
    assert filter_feedback(thought, ITEM, "text").outcome == "empty"
    assert filter_feedback("<think>" + ITEM.stem, ITEM, "text").outcome == "empty"
    word = ITEM.stem.rstrip("?").split()[-1]
    kept = filter_feedback(f"{thought}<concept>{word}</concept>look again", ITEM, "text")
    assert (kept.outcome, kept.text, kept.revealed) == ("kept", "look again", False)


def step_of(policy: Policy, directory: Path) -> Step:
    config = load_config(settings=["rounds.prompts=24", "rounds.rollouts=8", "sampling.temperature=1.5"])
    phase = small_phase(policy, directory, SDPO(), config, seed=3)
    return Step(phase.tutee, 0, phase.order.batch(0, 24))


def test_targets_are_the_students_own_tokens_end_token_and_all(shipped: Policy, tmp_path: Path) -> None:
    """2.3, 2.4: the response is not tokenised again, the end of sequence is in the loss, the prompt differs alone."""
    learnt = SDPO().learn(step_of(shipped, tmp_path))
    (rows,) = learnt.parts
    drawn = [y.tokens for y in all_rollouts(learnt.groups)]
    assert rows
    assert len(rows) < len(drawn)
    assert all(r.response in drawn for r in rows)
    end = shipped.tokenizer.eos_token_id
    assert any(r.response[-1] == end for r in rows)
    assert all(r.teacher_prompt != r.student_prompt for r in rows)
    assert learnt.examples == len(drawn), "what has no target stays in the denominator"


def test_the_failed_attempt_itself_is_not_in_the_teachers_prompt(shipped: Policy, tmp_path: Path) -> None:
    """2.2: it is only what is scored after it."""
    learnt = SDPO().learn(step_of(shipped, tmp_path))
    (rows,) = learnt.parts
    failed = {y.tokens: y.text for y in all_rollouts(learnt.groups) if not y.reward}
    read = [(shipped.decode(r.teacher_prompt), failed[r.response]) for r in rows if r.response in failed]
    assert read
    assert not any(text in prompt for prompt, text in read)


def test_a_step_of_several_updates_has_one_rate_and_one_move_of_the_teacher(shipped: Policy) -> None:
    """0.7, 2.6: rate and EMA go by training steps, not by mini-batches."""
    rows = [TrainRow((1, 5, 9), (1, 5, 9, 30, 31), (40 + k, 41)) for k in range(4)]
    policy = make_trainable(copy.deepcopy(shipped), "full", 8, "t")
    start = {n: p.detach().clone() for n, p in policy.trainable().items()}
    trainer = LocalTrainer(policy, load_config(settings=["teacher.rate=0.25", "optimizer.warmup=4"]))
    trainer.step = 2
    stats = trainer.update_in_parts([rows[:2], rows[2:]], 2)
    assert (trainer.step, stats.lr, stats.active_rows) == (3, pytest.approx(0.5 * trainer.config.optimizer.lr), 4)
    moved = False
    for name, parameter in policy.trainable().items():
        expected = torch.lerp(start[name], parameter.detach(), 0.25)
        assert torch.allclose(trainer.teacher.shadows[name], expected, atol=1e-7)
        moved |= not torch.equal(start[name], parameter)
    assert moved


def test_on_policy_and_off_policy_updates_agree_on_the_first_part(shipped: Policy) -> None:
    """0.5: with one update a step the old log-prob is the present one; stated explicitly it changes nothing."""
    from coopt.lm.training.objectives import PolicyGradient

    def trainer() -> LocalTrainer:
        policy = make_trainable(copy.deepcopy(shipped), "full", 8, "t")
        return LocalTrainer(policy, load_config(settings=["optimizer.warmup=0"]), PolicyGradient())

    rows = [TrainRow((1, 5, 9), (1, 5, 9), (40 + k, 41), advantage=(-1.0) ** k) for k in range(4)]
    once, twice = trainer(), trainer()
    plain = once.update(rows, 4)
    in_parts = twice.update_in_parts([rows, []], 4)
    assert in_parts.loss * 2 == pytest.approx(plain.loss, abs=1e-7)
    assert in_parts.grad_norm * 2 == pytest.approx(plain.grad_norm, rel=1e-5)
