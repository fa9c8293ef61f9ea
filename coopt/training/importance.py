"""The truncated importance weight for what trainer and engine differ by (TIS).

An engine's kernels round otherwise than the trainer's, so rollouts come from a slightly other distribution than the
one that is trained. Each token's loss is weighted with min(pi_train / pi_engine, cap), detached.
"""

from __future__ import annotations

import torch

from coopt.training.base import ImportanceSums


@torch.no_grad()
def importance_weights(
    student_NV: torch.Tensor, tokens_N: torch.Tensor, engine_N: torch.Tensor, cap: float, sums: ImportanceSums
) -> torch.Tensor:
    """Weights [N] of the tokens that were drawn, from the trainer's logits and the engine's log-probs; counted in
    ``sums``."""
    own_N = student_NV.log_softmax(-1).gather(-1, tokens_N[:, None]).squeeze(-1)
    weights_N = (own_N - engine_N).exp().clamp(max=cap).to(student_NV.dtype)
    sums.tokens += len(weights_N)
    sums.total += weights_N.double().sum().item()
    sums.capped += int((weights_N >= cap).sum())
    return weights_N
