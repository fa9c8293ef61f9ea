"""The update against a plain float64 reference, and everything that must not change it."""

from __future__ import annotations

import contextlib
import copy
import gc
import itertools
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import TrainingError
from coopt.lm.policy import Policy, load_policy, save_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.checkpoint import load_checkpoint, save_checkpoint
from coopt.lm.training.losses import Divergence
from coopt.lm.training.objectives import Distil
from coopt.lm.training.recompute import recompute_activations
from coopt.lm.training.trainer import LocalTrainer
from tests.unit.kept_gradients import keep_gradients

ROWS = [
    TrainRow((1, 5, 9), (1, 5, 9, 30, 31, 32), (40, 41, 42, 43)),
    TrainRow((1, 5, 9), (1, 5, 9, 30), (50, 51)),
    TrainRow((1, 7), (1, 7, 33, 34), (60,)),
    TrainRow((1, 5, 9), (1, 5, 9, 30, 31, 32), (40, 41, 42, 43)),
]
ROLLOUTS = 6  # two rollouts had no target


def config(*settings: str) -> Config:
    return load_config(settings=["optimizer.warmup=0", "optimizer.clip=1e9", *settings])


def trainable(policy: Policy, weights: str = "full") -> Policy:
    return make_trainable(policy, weights, 4, "test")  # type: ignore[arg-type]


def reference(model: torch.nn.Module, teacher: torch.nn.Module) -> torch.Tensor:
    """The loss as its definition reads, one rollout at a time, without sharing anything."""
    total = torch.zeros((), dtype=torch.float64)
    for row in ROWS:
        n = len(row.response)
        student = model(torch.tensor([[*row.student_prompt, *row.response]])).logits[0, -n - 1 : -1]
        with torch.no_grad():
            target = teacher(torch.tensor([[*row.teacher_prompt, *row.response]])).logits[0, -n - 1 : -1]
        p, q = student.softmax(-1), target.softmax(-1)
        m = (p + q) / 2
        jsd = 0.5 * (p * (p / m).log()).sum(-1) + 0.5 * (q * (q / m).log()).sum(-1)
        total = total + jsd.mean()
    return total / ROLLOUTS


def gradients(policy: Policy, settings: Config) -> tuple[float, dict[str, torch.Tensor]]:
    trainer = LocalTrainer(policy, settings)
    trainer.teacher.shadows = {n: s * 1.01 for n, s in trainer.teacher.shadows.items()}  # unlike the student
    kept = keep_gradients(trainer)
    stats = trainer.update(ROWS, ROLLOUTS)
    return stats.loss, kept


@pytest.mark.usefixtures("exact_norms")
@pytest.mark.parametrize(
    "settings",
    [(), ("loss.packed=true",), ("loss.shared_prefixes=true",), ("loss.chunk_logits=1700",), ("loss.batch_tokens=64",)],
)
def test_loss_and_gradient_match_the_definition(untrained: Policy, settings: tuple[str, ...]) -> None:
    """Merged rows, padding, packing, shared beginnings, chunks and micro-batches change nothing."""
    plain = copy.deepcopy(untrained.model)
    teacher = copy.deepcopy(untrained.model)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.copy_(parameter * 1.01)
    expected = reference(plain, teacher)
    expected.backward()
    loss, found = gradients(trainable(untrained), config(*settings))
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    for name, parameter in plain.named_parameters():
        assert torch.allclose(found[name], parameter.grad, rtol=1e-7, atol=1e-12), name


def test_aggregation_vector_of_the_specification(untrained: Policy) -> None:
    """Sequences A (3 tokens), B (dropped), C (1 token): mean per sequence, then over all rollouts."""
    values = iter([torch.tensor([0.097719]), torch.tensor([0.097719, 0.010308, 0.187021])])

    def objective(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        return next(values).double() + 0 * student.sum(-1)

    three_tokens = f"loss.chunk_logits={3 * len(untrained.tokenizer)}"
    trainer = LocalTrainer(trainable(untrained), config("loss.batch_tokens=64", three_tokens), Distil(objective))
    trainer._micro_batches = lambda rows: [[r] for r in sorted(rows, key=lambda r: len(r.response))]  # type: ignore[method-assign]
    stats = trainer.update([TrainRow((1,), (1, 2), (3, 4, 5)), TrainRow((1,), (1, 2), (6,))], rollouts=3)
    assert stats.loss == pytest.approx(0.0653562, abs=1e-6)


def test_a_step_without_rows_changes_nothing_and_resumes(untrained: Policy, tmp_path: Path) -> None:
    trainer = LocalTrainer(trainable(untrained), config())
    before = {n: p.clone() for n, p in untrained.trainable().items()}
    assert trainer.update([], 8).loss == 0
    assert all(torch.equal(p, before[n]) for n, p in untrained.trainable().items())
    save_checkpoint(trainer, tmp_path / "c")
    load_checkpoint(trainer, tmp_path / "c")
    assert trainer.step == 1


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_resuming_from_a_checkpoint_is_exact(shipped: Policy, tmp_path: Path, weights: str) -> None:
    """4 steps at once equal 2 steps, a checkpoint, and 2 steps in a fresh process's objects."""

    def fresh() -> LocalTrainer:
        return LocalTrainer(
            trainable(copy.deepcopy(shipped), weights), config("optimizer.warmup=3", "teacher.rate=0.1")
        )

    through, first, second = fresh(), fresh(), fresh()
    for _ in range(4):
        through.update(ROWS, ROLLOUTS)
    for _ in range(2):
        first.update(ROWS, ROLLOUTS)
    save_checkpoint(first, tmp_path / "c")
    load_checkpoint(second, tmp_path / "c")
    for _ in range(2):
        second.update(ROWS, ROLLOUTS)
    for name, parameter in through.policy.trainable().items():
        assert torch.equal(parameter, second.policy.trainable()[name])
        assert torch.equal(through.teacher.shadows[name], second.teacher.shadows[name])


def test_the_first_step_has_learning_rate_zero_then_warms_up(untrained: Policy) -> None:
    trainer = LocalTrainer(trainable(untrained), load_config(settings=["optimizer.lr=1.0", "optimizer.warmup=10"]))
    rates = []
    for trainer.step in range(12):
        rates.append(trainer._warmup())
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1])


def test_a_non_finite_loss_stops_before_the_update(untrained: Policy) -> None:
    policy = trainable(untrained)
    trainer = LocalTrainer(policy, config(), Distil(lambda s, t: s.sum(-1) * float("nan")))
    before = {n: p.clone() for n, p in policy.trainable().items()}
    with pytest.raises(TrainingError, match="weights were not changed"):
        trainer.update(ROWS, ROLLOUTS)
    assert all(torch.equal(p, before[n]) for n, p in policy.trainable().items())


def test_ema_moves_by_rate_once_a_step_and_frozen_does_not(shipped: Policy) -> None:
    for kind, rate in (("ema", 0.05), ("frozen", 0.0)):
        policy = trainable(copy.deepcopy(shipped))
        start = {n: p.detach().clone() for n, p in policy.trainable().items()}
        trainer = LocalTrainer(policy, config(f"teacher.kind={kind}", "teacher.rate=0.05"))
        trainer.update(ROWS, ROLLOUTS)
        for name, parameter in policy.trainable().items():
            expected = (1 - rate) * start[name] + rate * parameter.detach()
            assert torch.allclose(trainer.teacher.shadows[name], expected, atol=1e-7)


def test_teacher_logits_equal_a_fresh_model_with_the_teachers_weights(shipped: Policy) -> None:
    policy = trainable(copy.deepcopy(shipped))
    trainer = LocalTrainer(policy, config("teacher.rate=0.3"))
    for _ in range(3):
        trainer.update(ROWS, ROLLOUTS)
    fresh = copy.deepcopy(shipped.model)
    fresh.load_state_dict(trainer.teacher.shadows, strict=False)
    ids = torch.tensor([[1, 5, 9, 40]])
    student = policy.model(ids).logits
    with trainer.teacher.active():
        seen = policy.model(ids).logits
    assert torch.equal(seen, fresh(ids).logits)
    assert torch.equal(policy.model(ids).logits, student), "the student's weights are back"
    assert not torch.equal(seen, student)


def test_a_lora_students_export_is_a_plain_model_with_the_same_logits(shipped: Policy, tmp_path: Path) -> None:
    policy = trainable(copy.deepcopy(shipped), "lora")
    trainer = LocalTrainer(policy, config("optimizer.lr=1e-2"))
    for _ in range(3):
        trainer.update(ROWS, ROLLOUTS)
    ids = torch.tensor([[1, 5, 9, 40]])
    before = policy.model(ids).logits
    save_policy(policy, tmp_path / "m")
    loaded = load_policy(tmp_path / "m", device="cpu")
    assert torch.allclose(loaded.model(ids).logits, before, atol=1e-4)
    assert not torch.allclose(loaded.model(ids).logits, shipped.model(ids).logits, atol=1e-2)
    assert torch.allclose(policy.model(ids).logits, before, atol=1e-5), "the adapter is unmerged again"


def test_divergence_is_what_the_configuration_says(untrained: Policy) -> None:
    trainer = LocalTrainer(trainable(untrained), config("loss.alpha=0.25", "loss.top_k=7", "loss.tail=false"))
    assert trainer.objective == Distil(Divergence(0.25, 7, False))


def test_a_fused_step_is_seen_by_who_asks_for_the_versions_of_weights(
    untrained: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU: torch's fused AdamW raises none, and an engine takes such weights for those that it has."""
    plain = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda parameters, **kw: plain(parameters, **kw | {"fused": True}))
    trainer = LocalTrainer(untrained, config())
    parameters = trainer.policy.trainable()
    before = {name: p._version for name, p in parameters.items()}
    trainer.update(ROWS, ROLLOUTS)
    assert before
    assert [name for name, p in parameters.items() if p._version <= before[name]] == []


def test_it_computes_in_one_place_wherever_the_weights_lie(untrained: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offloaded shards lie on the CPU before a pass and are gathered on the GPU after it."""
    trainer = LocalTrainer(untrained, config("loss.chunk_logits=1700"))
    expected = trainer.measure(ROWS, lambda tokens: tokens.student_NV.logsumexp(-1))
    # A tensor on "meta" among what is computed raises.
    places = itertools.cycle([torch.device("meta"), torch.device("cpu")])
    monkeypatch.setattr(Policy, "device", property(lambda self: next(places)))
    monkeypatch.setattr(Policy, "autocast", lambda self: contextlib.nullcontext())
    assert trainer.measure(ROWS, lambda tokens: tokens.student_NV.logsumexp(-1)) == expected
    assert trainer.update(ROWS, ROLLOUTS).loss >= 0
    assert trainer.logprobs([((1, 5), (40, 41))])


def test_a_model_that_recomputes_is_gone_when_nobody_uses_it(shipped: Policy) -> None:
    """The next task of a worker needs the GPU's memory, and Python looks for circles when it likes."""
    own = replace(shipped, model=copy.deepcopy(shipped.model))
    trainer = LocalTrainer(trainable(own), config("parallel.activation_checkpointing=true"))
    trainer.update(ROWS, ROLLOUTS)
    held = [weakref.ref(p) for p in own.model.parameters()]
    gc.collect()
    gc.disable()
    try:
        del trainer, own
        assert not any(parameter() is not None for parameter in held)
    finally:
        gc.enable()


def test_a_copy_of_a_model_that_recomputes_computes_with_its_own_weights(shipped: Policy) -> None:
    own = replace(shipped, model=copy.deepcopy(shipped.model))
    recompute_activations(own)
    recompute_activations(own)  # which changes nothing
    made = copy.deepcopy(own.model)
    with torch.no_grad():
        for parameter in own.model.parameters():
            parameter.zero_()
    ids = torch.tensor([[1, 5, 9, 30]])
    assert torch.equal(made(ids).logits, shipped.model(ids).logits)
