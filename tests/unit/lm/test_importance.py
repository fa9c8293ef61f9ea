"""The truncated importance weight: its value, its place in the loss, and that without an engine's log-probs there is
none."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import ImportanceSums, TrainRow
from coopt.lm.training.importance import importance_weights
from coopt.lm.training.merge import Target, merge
from coopt.lm.training.objectives import Tokens
from coopt.lm.training.trainer import LocalTrainer

PROMPT, TEACHER, RESPONSE = (1, 5, 9), (1, 5, 9, 30), (40, 41, 42)


def test_weights_are_the_ratio_up_to_the_cap() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])).requires_grad_()
    engine = torch.log(torch.tensor([0.4, 0.6, 0.2]))
    sums = ImportanceSums()
    tokens = Tokens(logits, None, torch.tensor([0, 1, 2]), None, torch.ones(3))
    weights = importance_weights(tokens, engine, 2.0, sums)
    assert weights.tolist() == pytest.approx([1.25, 0.5, 2.0])
    assert not weights.requires_grad
    assert (sums.tokens, sums.capped) == (3, 1)
    assert sums.total == pytest.approx(3.75)


def trainer(policy: Policy) -> LocalTrainer:
    config = load_config(settings=["optimizer.warmup=0", "loss.chunk_logits=1700"])
    made = LocalTrainer(make_trainable(copy.deepcopy(policy), "full", 4, "t"), config)
    made.teacher.shadows = {n: s * 1.01 for n, s in made.teacher.shadows.items()}
    return made


def own_logprobs(policy: Policy) -> tuple[float, ...]:
    logits = policy.model(torch.tensor([[*PROMPT, *RESPONSE]])).logits[0, len(PROMPT) - 1 : -1]
    return tuple(logits.log_softmax(-1).gather(-1, torch.tensor(RESPONSE)[:, None]).squeeze(1).tolist())


def test_the_loss_is_weighted_token_by_token(untrained: Policy) -> None:
    """An engine that thought every token less likely by a third: half as much again. (Norms compute in float32.)"""
    own = own_logprobs(untrained)
    plain = trainer(untrained).update([TrainRow(PROMPT, TEACHER, RESPONSE)], 1)
    same = trainer(untrained).update([TrainRow(PROMPT, TEACHER, RESPONSE, own)], 1)
    rarer = tuple(x - math.log(1.5) for x in own)
    more = trainer(untrained).update([TrainRow(PROMPT, TEACHER, RESPONSE, rarer)], 1)
    assert plain.importance == ImportanceSums()
    assert same.loss == pytest.approx(plain.loss, rel=1e-6)
    assert more.loss == pytest.approx(1.5 * plain.loss, rel=1e-6)
    assert more.importance.total / more.importance.tokens == pytest.approx(1.5)
    assert more.grad_norm == pytest.approx(1.5 * plain.grad_norm, rel=1e-6)


def test_weights_meet_their_own_tokens_in_batches_and_chunks(untrained: Policy) -> None:
    """Two responses and two teachers, weights 1 on one response and 1.5 on the other."""
    own = tuple(x - math.log(1.5) for x in own_logprobs(untrained))
    other = TrainRow((1, 7), (1, 7, 33), (60,))
    logits = untrained.model(torch.tensor([[1, 7, 60]])).logits[0, 1]
    rows = [
        TrainRow(PROMPT, TEACHER, RESPONSE, own),
        other._replace(logprobs=(logits.log_softmax(-1)[60].item(),)),
        TrainRow(PROMPT, (*TEACHER, 8), RESPONSE, own),
    ]
    parts = [trainer(untrained).update([r._replace(logprobs=())], 3).loss for r in rows]
    assert trainer(untrained).update(rows, 3).loss == pytest.approx(1.5 * (parts[0] + parts[2]) + parts[1], rel=1e-6)


def test_a_row_that_no_engine_drew_switches_no_weight_off(untrained: Policy) -> None:
    """In one micro-batch with others, or equal to one of them but for its log-probs: it weighs 1."""
    own = tuple(x - math.log(1.5) for x in own_logprobs(untrained))
    drawn, plain = TrainRow(PROMPT, TEACHER, RESPONSE, own), TrainRow(PROMPT, TEACHER, RESPONSE)
    other = TrainRow((1, 7), (1, 7, 33), (60,))
    weighed, alone, beside = (trainer(untrained).update([r], 1).loss for r in (drawn, plain, other))
    assert weighed == pytest.approx(1.5 * alone, rel=1e-6)
    for rows, expected in [([drawn, other], weighed + beside), ([drawn, plain], weighed + alone)]:
        stats = trainer(untrained).update(rows, 1)
        assert stats.loss == pytest.approx(expected, rel=1e-6)
        assert stats.importance.tokens == len(RESPONSE)


def test_equal_rollouts_stay_one_row_with_the_mean_of_their_weights(untrained: Policy) -> None:
    """1 / mu is the mean of the rows', whichever comes first."""
    own = own_logprobs(untrained)
    rows = [TrainRow(PROMPT, TEACHER, RESPONSE, tuple(x - math.log(f) for x in own)) for f in (1.2, 1.5, 1.8)]
    for some in (rows, rows[::-1]):
        (row,) = merge(some, 6)
        assert [(t.prompt, t.weight) for t in row.targets] == [(TEACHER, 0.5)]
        assert row.targets[0].drawn == pytest.approx([x - math.log(1.5) for x in own], abs=1e-12)
    apart = [trainer(untrained).update([r], 3).loss for r in rows]
    assert trainer(untrained).update(rows, 3).loss == pytest.approx(sum(apart), rel=1e-6)
    same = [TrainRow(PROMPT, TEACHER, RESPONSE, own)] * 2
    assert merge(same, 2)[0].targets == [Target(TEACHER, drawn=own)]
