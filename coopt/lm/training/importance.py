"""The truncated importance weight for what trainer and engine differ by (TIS).

An engine's kernels round otherwise than the trainer's, so rollouts come from a slightly other distribution than the
one that is trained. Each token's loss is weighted with min(pi_train / pi_engine, cap), detached.
"""

from __future__ import annotations

import torch

from coopt.lm.training.base import ImportanceSums
from coopt.lm.training.objectives import Tokens, logprobs_of


@torch.no_grad()
def importance_weights(tokens: Tokens, engine_N: torch.Tensor, cap: float, sums: ImportanceSums) -> torch.Tensor:
    """Weights [N] of the tokens that were drawn, from the trainer's log-probs (at the start of the step) and the
    engine's; counted in ``sums``."""
    own_N = logprobs_of(tokens.student_NV, tokens.ids_N) if tokens.old_N is None else tokens.old_N
    weights_N = (own_N - engine_N).exp().clamp(max=cap).to(tokens.student_NV.dtype)
    sums.tokens += len(weights_N)
    sums.total += weights_N.double().sum().item()
    sums.capped += int((weights_N >= cap).sum())
    return weights_N
