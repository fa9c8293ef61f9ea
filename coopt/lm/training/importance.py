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
    """Weights [N] of the tokens, from the trainer's log-probs (at the start of the step) and the engine's; counted in
    ``sums``. A token that no other engine drew (NaN) weighs 1 and is not counted."""
    own_N = logprobs_of(tokens.student_NV, tokens.ids_N) if tokens.old_N is None else tokens.old_N
    # Truncated, not clipped from below: a token that the engine liked less is only damped (TIS).
    weights_N = (own_N - engine_N).exp().clamp(max=cap).to(tokens.student_NV.dtype)
    drawn_N = ~engine_N.isnan()
    counted = weights_N[drawn_N]
    sums.tokens += len(counted)
    sums.total += counted.double().sum().item()
    sums.capped += int((counted >= cap).sum())
    return torch.where(drawn_N, weights_N, 1.0)
