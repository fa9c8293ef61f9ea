"""The four self-teachers after training steps, against a plain float64 reference; resuming with each of them.

Two ranks against one: ``tests/unit/lm/test_sharded.py``.
"""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.lm.policy import Policy
from coopt.lm.training import sharded_teacher
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.checkpoint import load_checkpoint, save_checkpoint
from coopt.lm.training.sharded_teacher import ShardedTeacher
from coopt.lm.training.sharding import Root
from coopt.lm.training.trainer import LocalTrainer

KINDS = ("ema", "live", "frozen", "trust_region")
RATE = 0.3
ROLLOUTS = 4
ROWS = [
    TrainRow((1, 5, 9), (1, 5, 9, 30, 31, 32), (40, 41, 42, 43)),
    TrainRow((1, 5, 9), (1, 5, 9, 30), (50, 51)),
    TrainRow((1, 7), (1, 7, 33, 34), (60,)),
]


def trainer(policy: Policy, kind: str, *settings: str) -> LocalTrainer:
    made = load_config(
        settings=["optimizer.warmup=0", "optimizer.lr=1e-3", f"teacher.kind={kind}", f"teacher.rate={RATE}", *settings]
    )
    return LocalTrainer(make_trainable(copy.deepcopy(policy), "full", 4, "t"), made)


def logits(model: torch.nn.Module, prompt: tuple[int, ...], response: tuple[int, ...]) -> torch.Tensor:
    """At the positions that predict the response."""
    found: torch.Tensor = model(torch.tensor([[*prompt, *response]])).logits[0, -len(response) - 1 : -1]
    return found


def reference(kind: str, initial: torch.nn.Module, followed: torch.nn.Module, student: torch.nn.Module) -> torch.Tensor:
    """JSD between student and teacher as the definitions read (SDPO's code: ema theta_T <- (1-r) theta_T + r theta_S;
    trust region: logits lerp of initial and present student, both after the teacher's prompt)."""
    total = torch.zeros((), dtype=torch.float64)
    for row in ROWS:
        p = logits(student, row.student_prompt, row.response).softmax(-1)
        with torch.no_grad():
            seen = {
                who: logits(model, row.teacher_prompt, row.response)
                for who, model in (("initial", initial), ("followed", followed), ("student", student))
            }
        target = {
            "ema": seen["followed"],
            "live": seen["student"],
            "frozen": seen["initial"],
            "trust_region": (1 - RATE) * seen["initial"] + RATE * seen["student"],
        }[kind]
        q = target.softmax(-1)
        m = (p + q) / 2
        jsd = 0.5 * (p * (p / m).log()).sum(-1) + 0.5 * (q * (q / m).log()).sum(-1)
        total = total + jsd.mean()
    return total / ROLLOUTS


@pytest.mark.parametrize("kind", KINDS)
def test_the_third_steps_loss_and_gradient_are_those_of_the_definition(untrained: Policy, kind: str) -> None:
    """After two steps initial, followed and present student are three models. Several micro-batches and chunks."""
    made = trainer(untrained, kind, "loss.batch_tokens=64", "loss.chunk_logits=1700")
    initial, followed = copy.deepcopy(untrained.model), copy.deepcopy(untrained.model)
    for _ in range(2):
        made.update(ROWS, ROLLOUTS)
        with torch.no_grad():
            for old, new in zip(followed.parameters(), made.policy.model.parameters(), strict=True):
                old.copy_((1 - RATE) * old + RATE * new)
    student = copy.deepcopy(made.policy.model)
    student.zero_grad()
    expected = {k: reference(k, initial, followed, student) for k in KINDS}
    assert len({round(e.item(), 12) for e in expected.values()}) == len(KINDS), "four different teachers"
    expected[kind].backward()
    made.optimizer.step = lambda *a: None  # type: ignore[method-assign, assignment]
    stats = made.update(ROWS, ROLLOUTS)
    assert stats.loss == pytest.approx(expected[kind].item(), rel=1e-8)
    norm = torch.cat([p.grad.flatten() for p in student.parameters()]).norm().item()
    assert stats.grad_norm == pytest.approx(norm, rel=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_resumes_exactly(shipped: Policy, tmp_path: Path, kind: str) -> None:
    through, again = trainer(shipped, kind), trainer(shipped, kind)
    for _ in range(2):
        through.update(ROWS, ROLLOUTS)
    save_checkpoint(through, tmp_path / "c")
    load_checkpoint(again, tmp_path / "c")
    losses = [[t.update(ROWS, ROLLOUTS).loss for _ in range(2)] for t in (through, again)]
    assert losses[0] == losses[1]
    for name, parameter in through.policy.trainable().items():
        assert torch.equal(parameter, again.policy.trainable()[name])
    assert bool(through.teacher.shadows) == (kind != "live")


@pytest.mark.parametrize("optimizer", [True, False])
@pytest.mark.parametrize("teacher", [True, False])
def test_optimizer_and_teacher_are_carried_on_each_by_itself(
    shipped: Policy, tmp_path: Path, optimizer: bool, teacher: bool
) -> None:
    before, after = trainer(shipped, "ema"), trainer(shipped, "ema")
    for _ in range(2):
        before.update(ROWS, ROLLOUTS)
    save_checkpoint(before, tmp_path / "c")
    load_checkpoint(after, tmp_path / "c", optimizer=optimizer, teacher=teacher)
    assert after.step == (2 if optimizer else 0)
    assert bool(after.optimizer.state) == optimizer
    students = after.policy.trainable()
    for name, shadow in after.teacher.shadows.items():
        assert torch.equal(students[name], before.policy.trainable()[name])
        assert torch.equal(shadow, before.teacher.shadows[name] if teacher else students[name])


def test_the_teacher_follows_the_state_unless_it_is_told_otherwise() -> None:
    cases = {(True, None): True, (False, None): False, (True, False): False, (False, True): True}
    for (state, own), carried in cases.items():
        rounds = load_config().rounds.model_copy(update={"carry_state": state, "carry_teacher": own})
        assert rounds.carries_teacher == carried


def test_shards_that_are_being_sent_to_a_gpu_are_not_exchanged(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ``parallel.cpu_offload`` FSDP copies from pinned memory without waiting for the copy."""
    policy = make_trainable(copy.deepcopy(shipped), "full", 4, "t")
    name, weight = next(iter(policy.trainable().items()))
    root = cast("Root", SimpleNamespace(reshard=lambda: None))
    teacher = ShardedTeacher(policy, "frozen", 0.0, root)
    with torch.no_grad():
        weight.add_(1.0)
    when_waited: list[torch.Tensor] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: when_waited.append(weight.detach().clone()))
    with teacher.active():
        pass
    assert when_waited == [], "where they are on the CPU to stay, nobody waits"
    monkeypatch.setattr(sharded_teacher, "_sent_to_a_gpu", lambda shadow: True)
    student, theirs = weight.detach().clone(), teacher.shadows[name].clone()
    with teacher.active():
        pass
    assert [torch.equal(a, b) for a, b in zip(when_waited, (student, theirs), strict=True)] == [True, True]
