"""The divergence over a large vocabulary with its gradient in closed form, so that few copies of it are held at once.

Shape legend: N tokens, V vocabulary. With p the student, q the teacher, m their mixture, and z the student's logits:

    d KL(q || p) / dz = p - q
    d KL(p || r) / dz = p (log p - log r - KL(p || r))        for an r that does not depend on z
    d JSD / dz = (1 - alpha) p (log p - log m - KL(p || m))   because what flows through m adds up to nothing

Autograd keeps about 12 arrays [N, V] for the last; here it is 7, and 1 after the forward pass.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable


class FullVocabularyJSD(torch.autograd.Function):
    """``generalised_jsd`` [N] of logits [N, V], without an entry's bound."""

    @staticmethod
    def forward(ctx: Any, student_NV: torch.Tensor, teacher_NV: torch.Tensor, alpha: float) -> torch.Tensor:
        value_N, slope_NV = value_and_slope(student_NV.log_softmax(-1), teacher_NV.log_softmax(-1), alpha)
        # The gradient is known now, so neither log-probs nor mixture need to be kept.
        ctx.save_for_backward(slope_NV)
        return value_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above_N: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (slope_NV,) = ctx.saved_tensors
        return slope_NV * above_N[:, None], None, None


def value_and_slope(log_p: torch.Tensor, log_q: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The divergence [N] and its gradient [N, V] in the student's logits. Overwrites what it is given."""
    if alpha == 0:
        q = log_q.exp()
        # d KL(q || p) / dz = p - q.
        return log_q.sub_(log_p).mul_(q).sum(-1), log_p.exp_().sub_(q)
    if alpha == 1:
        return _towards(log_p, log_q)
    log_m = torch.logaddexp(log_p + math.log1p(-alpha), log_q + math.log(alpha))
    q = log_q.exp()
    teacher_N = log_q.sub_(log_m).mul_(q).sum(-1)
    # One [N, V] array less while the student's side is computed.
    del q
    student_N, slope = _towards(log_p, log_m)
    # The teacher's term has a gradient through m alone, which cancels with the student's (module docstring).
    return (1 - alpha) * student_N + alpha * teacher_N, slope.mul_(1 - alpha)


def _towards(log_p: torch.Tensor, log_r: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """KL(p || r) and its gradient for a fixed r; ``log_p`` becomes the gradient."""
    p = log_p.exp()
    gap = log_p.sub_(log_r)
    kl = (p * gap).sum(-1, keepdim=True)
    # In place: gap becomes the gradient p (log p - log r - KL).
    return kl.squeeze(-1), gap.sub_(kl).mul_(p)
