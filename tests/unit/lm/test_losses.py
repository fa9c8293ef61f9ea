"""Divergence and policy gradient: numeric vectors of the SDPO specification, gradients against float64 references."""

from __future__ import annotations

import math

import pytest
import torch

from coopt.lm.training.closed_form import FullVocabularyJSD
from coopt.lm.training.losses import Divergence, bucket_log_probs, generalised_jsd
from coopt.lm.training.objectives import PolicyGradient, Tokens

S = torch.tensor([[2, 1, 0, -1], [0.5, 0.4, 2.5, -0.5], [0.3, 0.2, 0.1, 0]], dtype=torch.float64)
T = torch.tensor([[1, 2, 0, -1], [0, -1, 3, 0.5], [3, 0, 0, 0]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("top_k", "tail", "alpha", "expected"),
    [
        (2, True, 0.0, (0.407031, 0.037852, 0.739357)),
        (2, True, 0.5, (0.097719, 0.010308, 0.187021)),
        (2, True, 1.0, (0.407031, 0.046347, 0.892619)),
        (2, True, 0.25, (0.073993, 0.007386, 0.137208)),
        (2, False, 0.5, (0.110944, 0.008691, 0.132951)),
        (0, True, 0.0, (0.407031, 0.090394, 0.739465)),
        (0, True, 0.5, (0.097719, 0.025876, 0.187067)),
        (0, True, 1.0, (0.407031, 0.134148, 0.893181)),
    ],
)
def test_vectors_of_the_specification(top_k: int, tail: bool, alpha: float, expected: tuple[float, ...]) -> None:
    values = generalised_jsd(*bucket_log_probs(S, T, top_k, tail), alpha)
    assert values.tolist() == pytest.approx(expected, abs=1e-6)


def test_gradient_matches_the_closed_form_of_reverse_kl() -> None:
    """d KL(p||q) / d logit_v = p_v (log p_v - log q_v - KL)."""
    student = S.clone().requires_grad_()
    Divergence(1.0, 0)(student, T).sum().backward()
    log_p, log_q = S.log_softmax(-1), T.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1, keepdim=True)
    assert torch.allclose(student.grad, log_p.exp() * (log_p - log_q - kl), atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(("top_k", "tail"), [(0, True), (3, True), (3, False)])
def test_gradient_matches_finite_differences(alpha: float, top_k: int, tail: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(4, 9, dtype=torch.float64, generator=generator, requires_grad=True)
    teacher = student.detach() + 0.1 * torch.randn(4, 9, dtype=torch.float64, generator=generator)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return generalised_jsd(*bucket_log_probs(logits, teacher, top_k, tail), alpha).sum()

    assert torch.autograd.gradcheck(loss, (student,), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("top_k", [0, 100])
@pytest.mark.parametrize("gap", [1.0, 0.1, 0.01])
def test_float32_gradient_is_close_to_float64_even_at_a_small_gap(gap: float, top_k: int) -> None:
    generator = torch.Generator().manual_seed(1)
    student = 5 * torch.randn(16, 2000, dtype=torch.float64, generator=generator)
    teacher = student + gap * torch.randn(16, 2000, dtype=torch.float64, generator=generator)
    gradients = []
    for dtype in (torch.float64, torch.float32):
        logits = student.to(dtype).clone().requires_grad_()
        Divergence(0.5, top_k)(logits, teacher.to(dtype)).sum().backward()
        gradients.append(logits.grad.double())
    error = (gradients[0] - gradients[1]).norm() / gradients[0].norm()
    assert error < 1e-3


def test_identical_models_give_zero_and_jsd_is_symmetric() -> None:
    assert Divergence(0.5, 0)(S, S).abs().max() < 1e-12
    assert torch.allclose(Divergence(0.5, 0)(S, T), Divergence(0.5, 0)(T, S))


def test_top_k_applies_from_a_thousand_tokens_on() -> None:
    small, large = torch.randn(2, 3, 999), torch.randn(2, 3, 1000)
    assert torch.equal(Divergence(0.5, 100)(*small), Divergence(0.5, 0)(*small))
    assert not torch.equal(Divergence(0.5, 100)(*large), Divergence(0.5, 0)(*large))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_closed_form_over_a_large_vocabulary_matches_autograd(alpha: float) -> None:
    """Values, and gradients that arrive with weights; the logits themselves are left as they are."""
    generator = torch.Generator().manual_seed(2)
    student = 3 * torch.randn(6, 1500, dtype=torch.float64, generator=generator)
    teacher = student + torch.randn(6, 1500, dtype=torch.float64, generator=generator)
    weight, found = torch.rand(6, dtype=torch.float64, generator=generator), []
    kept = student.clone(), teacher.clone()
    for loss in (Divergence(alpha, 0), lambda s, t: generalised_jsd(*bucket_log_probs(s, t, 0, True), alpha)):
        logits = student.clone().requires_grad_()
        values = loss(logits, teacher)
        (values * weight).sum().backward()
        found.append((values, logits.grad))
        assert torch.equal(logits, kept[0])
        assert torch.equal(teacher, kept[1])
    (values, gradient), (expected, reference) = found
    assert torch.allclose(values, expected, atol=1e-12)
    assert torch.allclose(gradient, reference, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_closed_form_matches_finite_differences(alpha: float) -> None:
    generator = torch.Generator().manual_seed(3)
    student = torch.randn(4, 9, dtype=torch.float64, generator=generator, requires_grad=True)
    teacher = torch.randn(4, 9, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda s: FullVocabularyJSD.apply(s, teacher, alpha), (student,))


def test_tail_is_finite_when_the_top_k_holds_everything() -> None:
    sharp = torch.tensor([[100.0, 0.0, 0.0, 0.0]])
    log_p, _ = bucket_log_probs(sharp, sharp, 3, True)
    assert torch.isfinite(log_p).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_clipped_entries_match_a_reference_entry_by_entry(alpha: float, clip: float) -> None:
    """The bound is on what each entry adds, before the sum; an entry over it has no gradient."""
    student = S.clone().requires_grad_()
    p, q = student.softmax(-1), T.softmax(-1)
    m = (1 - alpha) * p + alpha * q
    added = {0.0: q * (q / p).log(), 1.0: p * (p / q).log()}.get(
        alpha, (1 - alpha) * p * (p / m).log() + alpha * q * (q / m).log()
    )
    expected = torch.stack([sum(a if a < clip else a.detach() * 0 + clip for a in row) for row in added])
    (reference,) = torch.autograd.grad(expected.sum(), student)
    found = Divergence(alpha, 0, True, clip)(student, T)
    (gradient,) = torch.autograd.grad(found.sum(), student)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.allclose(gradient, reference, atol=1e-12)
    assert (found < Divergence(alpha, 0)(S, T)).any()


IDS = torch.tensor([1, 2, 3])
OWN = S.log_softmax(-1).gather(-1, IDS[:, None]).squeeze(-1)


def tokens(student: torch.Tensor, ratio: float, advantage: float) -> Tokens:
    """The tokens ``IDS``, which the student now gives ``ratio`` times the probability at the start of the step."""
    return Tokens(student, T, IDS, OWN - math.log(ratio), torch.full((3,), advantage, dtype=torch.float64))


def assert_slope(objective: PolicyGradient, ratio: float, advantage: float, slope: torch.Tensor | float) -> None:
    """d loss / d log p(y) is ``slope``, so d loss / d logit_v is slope (1[v = y] - p_v)."""
    student = S.clone().requires_grad_()
    objective(tokens(student, ratio, advantage)).sum().backward()
    direction = torch.nn.functional.one_hot(IDS, 4) - S.softmax(-1)
    assert torch.allclose(student.grad, torch.as_tensor(slope).reshape(-1, 1) * direction, atol=1e-12)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.27, 2.0, -2.54, -2.54),
        (1.29, 2.0, -2.56, 0.0),  # clipped above
        (3.5, 2.0, -2.56, 0.0),  # the dual clip is for losses only
        (0.5, 2.0, -1.0, -1.0),  # the smaller of the two: not clipped below
        (1.0, -2.0, 2.0, 2.0),
        (0.81, -2.0, 1.62, 1.62),
        (0.79, -2.0, 1.6, 0.0),  # clipped below
        (2.9, -2.0, 5.8, 5.8),  # not clipped above
        (3.1, -2.0, 6.0, 0.0),  # but by the dual clip
    ],
)
def test_clipped_surrogate_and_its_gradient(ratio: float, advantage: float, loss: float, slope: float) -> None:
    objective = PolicyGradient(clip_low=0.2, clip_high=0.28, dual_clip=3.0)
    assert objective(tokens(S, ratio, advantage)).tolist() == pytest.approx([loss] * 3, abs=1e-12)
    assert_slope(objective, ratio, advantage, slope)


def test_without_the_dual_clip_a_loss_is_not_bounded() -> None:
    objective = PolicyGradient(dual_clip=None)
    assert objective(tokens(S, 50.0, -2.0)).tolist() == pytest.approx([100.0] * 3)
    assert_slope(objective, 50.0, -2.0, 100.0)


def test_on_the_policy_that_sampled_the_gradient_is_reinforce() -> None:
    """No old log-probs: ratio 1, and - A d log p."""
    student = S.clone().requires_grad_()
    advantage = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
    PolicyGradient()(Tokens(student, None, IDS, None, advantage)).sum().backward()
    plain = S.clone().requires_grad_()
    (-advantage * plain.log_softmax(-1).gather(-1, IDS[:, None]).squeeze(-1)).sum().backward()
    assert torch.allclose(student.grad, plain.grad, atol=1e-12)


def test_kl_term_its_gradient_and_its_mean() -> None:
    """q/p - log(q/p) - 1 has the slope 1 - q/p in log p, and the mean KL(p || q) over the policy's own tokens."""
    objective = PolicyGradient(kl=0.04)
    apart = T.log_softmax(-1).gather(-1, IDS[:, None]).squeeze(-1) - OWN
    expected = 0.04 * (apart.exp() - apart - 1)
    assert torch.allclose(objective(tokens(S, 1.0, 0.0)), expected, atol=1e-12)
    assert_slope(objective, 1.0, 0.0, 0.04 * (1 - apart.exp()))
    assert_slope(
        objective, 1.5, -2.0, 3.0 + 0.04 * (1 - apart.exp())
    )  # beside the surrogate, not weighted by the ratio
    every = torch.arange(4)
    for s, t in zip(S, T, strict=True):
        both = Tokens(s.expand(4, 4), t.expand(4, 4), every, None, torch.zeros(4))
        kl = (s.softmax(-1) * (s.log_softmax(-1) - t.log_softmax(-1))).sum()
        assert (s.softmax(-1) * objective(both)).sum().item() == pytest.approx(0.04 * kl.item(), abs=1e-12)


def test_policy_gradient_matches_finite_differences() -> None:
    generator = torch.Generator().manual_seed(4)
    student = torch.randn(64, 9, dtype=torch.float64, generator=generator, requires_grad=True)
    teacher, old = torch.randn(64, 9, generator=generator).double(), -2 + torch.randn(64, generator=generator).double()
    ids, advantage = torch.arange(64) % 9, torch.randn(64, generator=generator).double()

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return PolicyGradient(kl=0.04)(Tokens(logits, teacher, ids, old, advantage)).sum()

    assert torch.autograd.gradcheck(loss, (student,), eps=1e-6, atol=1e-7)
