"""The output head's product with bfloat16 operands and a float32 result: half of the reading, and the fast units of a
GPU. Sums are float32; only what is multiplied is rounded (gradients on their way back too)."""

from __future__ import annotations

from typing import Any

import torch

_REDUCED = torch.bfloat16


class ReducedHead(torch.autograd.Function):
    """``hidden`` [N, d] times ``weight`` [V, d] transposed: float32 [N, V]."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(hidden, weight)  # and not its copy, which is as long as the vocabulary
        return product(hidden, weight.T)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        hidden, weight = ctx.saved_tensors
        (logits_NV,) = gradients
        of_hidden = product(logits_NV, weight).to(hidden.dtype) if ctx.needs_input_grad[0] else None
        of_weight = product(logits_NV.T, hidden).to(weight.dtype) if ctx.needs_input_grad[1] else None
        return of_hidden, of_weight


def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a b in float32 of operands rounded to bfloat16. On a CPU, which has no such product, of the same rounded
    numbers."""
    a, b = a.to(_REDUCED), b.to(_REDUCED)
    return torch.mm(a, b, out_dtype=torch.float32) if a.is_cuda else torch.mm(a.float(), b.float())


def reduced_linear(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """What ``torch.nn.functional.linear`` gives, up to the rounding of its operands."""
    made: torch.Tensor = ReducedHead.apply(hidden, weight)  # type: ignore[no-untyped-call]
    return made
