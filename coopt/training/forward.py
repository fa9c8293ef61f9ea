"""What a model says about response tokens: hidden states, then logits in float32."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from coopt.models.policy import Policy
from coopt.training.batch import PromptResponse, model_input, response_hidden


def hidden_states(
    policy: Policy, sequences: Sequence[PromptResponse], *, packed: bool, decoder: torch.nn.Module | None = None
) -> torch.Tensor:
    """Final hidden states [N, d] at the positions that predict response tokens."""
    inputs = model_input(sequences, packed, policy.tokenizer.pad_token_id, policy.device)
    with policy.autocast():
        return response_hidden(decoder or policy.causal_lm.get_decoder(), inputs)


def logits32(
    head: torch.nn.Module, hidden: torch.Tensor, weights: dict[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """Logits in float32 or better, computed by a float32 product: rounding logits to bfloat16 would
    ruin the gradient where teacher and student are close."""
    parameters = dict(head.named_parameters()) | (weights or {})
    bias = parameters.get("bias")
    wide = torch.promote_types(hidden.dtype, torch.float32)
    weight = parameters["weight"].to(wide)
    return F.linear(hidden.to(wide), weight, None if bias is None else bias.to(wide))
