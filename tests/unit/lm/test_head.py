"""The head's product with bfloat16 operands against the one in float32: logits, gradients, a whole update."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from coopt.core.config.load import load_config
from coopt.driver.folder import default_name
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.head import product, reduced_linear
from coopt.lm.training.trainer import LocalTrainer

ROUNDED = 2.0**-8  # of a product of two numbers rounded to eight bits


def operands() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(40, 64, requires_grad=True), torch.randn(300, 64, requires_grad=True)


def test_only_operands_are_rounded_and_sums_are_not() -> None:
    hidden, weight = (t.detach() for t in operands())
    made = reduced_linear(hidden, weight)
    assert made.dtype == torch.float32
    exact = F.linear(hidden, weight)
    allowed = ROUNDED * F.linear(hidden.abs(), weight.abs())
    assert bool(((made - exact).abs() <= allowed).all())
    assert float((made - exact).norm() / exact.norm()) < 3e-3
    in_bfloat16 = F.linear(hidden.bfloat16(), weight.bfloat16()).float()
    assert float((in_bfloat16 - made).norm()) > 0, "a bfloat16 result is rounded once more"
    exactly = torch.mm(hidden.bfloat16().double(), weight.bfloat16().double().T)
    assert float((made.double() - exactly).abs().max()) < 1e-4


def test_gradients_are_those_of_the_rounded_product() -> None:
    hidden, weight = operands()
    towards = torch.randn(40, 300)
    found = torch.autograd.grad(reduced_linear(hidden, weight), (hidden, weight), towards)
    exact = torch.autograd.grad(F.linear(hidden, weight), (hidden, weight), towards)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == theirs.dtype
        assert float((ours - theirs).norm() / theirs.norm()) < 5e-3
    assert torch.equal(found[0], product(towards, weight.detach()))
    frozen = reduced_linear(hidden, weight.detach())
    assert torch.autograd.grad(frozen, hidden, towards)[0].shape == hidden.shape


@pytest.mark.parametrize("kind", ["ema", "trust_region"])
def test_an_update_stays_near_that_of_a_float32_head(shipped: Policy, kind: str) -> None:
    losses, moved = {}, {}
    for head in ("float32", "bfloat16"):
        policy = replace(shipped, model=copy.deepcopy(shipped.model))
        settings = ["optimizer.warmup=0", f"teacher.kind={kind}", f"loss.head={head}"]
        trainer = LocalTrainer(make_trainable(policy, "full", 0, "head"), load_config(settings=settings))
        rows = [TrainRow((5, 6, 7), (5, 6, 7, 30, 31, 32, k), (40, 41 + k, 42)) for k in range(6)]
        losses[head] = [trainer.update(rows, 6).loss for _ in range(2)]
        moved[head] = torch.cat([p.detach().flatten() for p in policy.model.parameters()])
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=2e-2)
    assert losses["bfloat16"] != losses["float32"]
    assert float((moved["bfloat16"] - moved["float32"]).norm() / moved["float32"].norm()) < 1e-3


def test_a_run_with_the_usual_head_keeps_its_name() -> None:
    plain = load_config()
    assert "head" not in plain.model_dump(mode="json")["loss"]
    assert default_name(load_config(settings=["loss.head=bfloat16"])) != default_name(plain)
