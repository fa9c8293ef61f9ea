"""An update whose rows are of several kinds, with teachers, peers and sequence ratios, against autograd in float64."""

from __future__ import annotations

import copy

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.losses import Divergence
from coopt.lm.training.merge import merge
from coopt.lm.training.objectives import ByKind, PolicyGradient, teacher_advantage
from coopt.lm.training.surrogates import Floored, ForeignSequences, Redistributed, Sequences, Sure, Towards
from coopt.lm.training.trainer import LocalTrainer
from tests.unit.kept_gradients import keep_gradients

pytestmark = pytest.mark.usefixtures("exact_norms")

P, T, LONG = (1, 5, 9), (1, 5, 9, 30, 31), (40, 41, 42, 43)
ROWS = [
    TrainRow(P, P, LONG, advantage=0.7, kind="own", given=-6.5),
    TrainRow(P, P, LONG, advantage=0.7, kind="own"),
    TrainRow(P, P, (50, 51), advantage=-0.4, kind="foreign", given=-6.4),
    TrainRow((1, 7), (1, 7), (60, 61, 62), kind="peer", teacher="s2", weight=0.5),
    TrainRow(P, P, (50, 51), kind="peer", teacher="s3"),
    TrainRow(P, P, LONG, advantage=0.3, kind="plain", weight=4.0),
    TrainRow(P, T, LONG, kind="wrong", weight=1.3),
    TrainRow(P, T, (50, 51), advantage=-1.0, kind="shared", given=0.5),
]
FLOOR, JSD = -6.56, Divergence(0.5, 0)
OBJECTIVE = ByKind(
    {
        "own": Sequences(0.2, 0.2),
        "foreign": ForeignSequences(0.5, 1.0),
        "peer": Towards(PolicyGradient(dual_clip=None)),
        "plain": Floored(PolicyGradient(dual_clip=None), FLOOR),
        "wrong": Sure(JSD, 0.5),
        "shared": Redistributed(PolicyGradient()),
    }
)


def logits(model: torch.nn.Module, prompt: tuple[int, ...], response: tuple[int, ...]) -> torch.Tensor:
    found: torch.Tensor = model(torch.tensor([[*prompt, *response]])).logits[0, -len(response) - 1 : -1]
    return found


def said(z: torch.Tensor, response: tuple[int, ...]) -> torch.Tensor:
    return z.log_softmax(-1).gather(-1, torch.tensor(response)[:, None]).squeeze(-1)


def loss_of(row: TrainRow, student: torch.nn.Module, teachers: dict[str, torch.nn.Module]) -> torch.Tensor:
    """The definitions as they read, row by row; the ratio of a first update is l - sg[l] = 0."""
    z = logits(student, row.student_prompt, row.response)
    own = said(z, row.response)
    once = (own - own.detach()).exp()
    with torch.no_grad():
        q = logits(teachers[row.teacher], row.teacher_prompt, row.response)
        apart = said(q, row.response) - own
    if row.kind in ("own", "foreign"):
        s = (own.mean() - (own.mean().detach() if row.given is None else row.given)).exp()
        if row.kind == "own":
            return -torch.minimum(s * row.advantage, s.clamp(0.8, 1.2) * row.advantage)
        c = s.clamp(0.5, 1.0)
        return -c * c.detach() * row.advantage
    if row.kind == "peer":
        return -(once * apart).mean()
    if row.kind == "plain":
        return -(once * row.advantage * (own.detach() >= FLOOR)).mean()
    if row.kind == "shared":
        weight = (-apart).exp().clamp(0.8, 1.2)
        return -(once * row.advantage * (0.5 + 0.5 * weight)).mean()
    sure = (0.5 * (q.softmax(-1) * q.log_softmax(-1)).sum(-1)).exp()
    return (sure * JSD(z, q)).mean()


@pytest.mark.parametrize(
    "settings", [(), ("loss.packed=true",), ("loss.shared_prefixes=true",), ("loss.batch_tokens=64",)]
)
def test_loss_and_gradient_of_mixed_rows_match_float64(untrained: Policy, settings: tuple[str, ...]) -> None:
    config = load_config(settings=["optimizer.warmup=0", "optimizer.clip=1e9", "loss.chunk_logits=2200", *settings])
    trainer = LocalTrainer(make_trainable(copy.deepcopy(untrained), "full", 4, "t"), config, OBJECTIVE)
    trainer.teacher.shadows = {n: s * 1.02 for n, s in trainer.teacher.shadows.items()}
    peers, teachers = {}, {"": copy.deepcopy(untrained.model)}
    for name, factor in (("s2", 1.03), ("s3", 0.98)):
        peers[name] = copy.deepcopy(untrained)
        teachers[name] = peers[name].model
        with torch.no_grad():
            for parameter in peers[name].model.parameters():
                parameter.mul_(factor)
    with torch.no_grad():
        for parameter in teachers[""].parameters():
            parameter.mul_(1.02)
    trainer.peers = peers
    student = copy.deepcopy(untrained.model)
    total = sum(row.weight * loss_of(row, student, teachers) for row in ROWS) / 10
    assert isinstance(total, torch.Tensor)
    total.backward()
    kept = keep_gradients(trainer)
    stats = trainer.update(ROWS, rollouts=10)
    assert stats.loss == pytest.approx(total.item(), rel=1e-8)
    for name, parameter in student.named_parameters():
        assert torch.allclose(kept[name], parameter.grad, rtol=1e-6, atol=1e-11), name


def test_rows_of_another_kind_or_with_another_number_are_not_put_together() -> None:
    alike = TrainRow(P, P, LONG, advantage=0.5)
    others = [alike._replace(kind="x"), alike._replace(given=0.1), alike._replace(given=0.2)]
    merged = merge([alike, alike, *others], 1)
    assert [(s.kind, [(t.given, t.weight) for t in s.targets]) for s in merged] == [
        ("", [(None, 2.0), (0.1, 1.0), (0.2, 1.0)]),
        ("x", [(None, 1.0)]),
    ]


def test_what_is_measured_is_what_the_objectives_read(untrained: Policy) -> None:
    config = load_config(settings=["optimizer.warmup=0", "loss.chunk_logits=2200"])
    trainer = LocalTrainer(make_trainable(copy.deepcopy(untrained), "full", 4, "t"), config, OBJECTIVE)
    rows = [ROWS[6], ROWS[7]]
    found = trainer.measure(rows, teacher_advantage)
    for row, values in zip(rows, found, strict=True):
        own, q = (logits(untrained.model, p, row.response) for p in (row.student_prompt, row.teacher_prompt))
        assert values == pytest.approx((said(q, row.response) - said(own, row.response)).tolist(), abs=1e-9)
    trainer.peers = {"s2": untrained}
    ours, theirs = (trainer.logprobs([(P, LONG), (P, (50,))], who) for who in ("", "s2"))
    assert ours == theirs
