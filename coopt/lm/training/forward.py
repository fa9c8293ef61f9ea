"""What a model says about response tokens: hidden states, then logits in float32."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch.nn import functional as F

from coopt.core.config.schema import LossConfig
from coopt.lm.policy import Policy
from coopt.lm.training.batch import Layout, PromptResponse, model_input, response_hidden


def hidden_states(
    policy: Policy,
    sequences: Sequence[PromptResponse],
    layout: Layout = "padded",
    *,
    keys: Sequence[Hashable] | None = None,
    decoder: torch.nn.Module | None = None,
) -> torch.Tensor:
    """Final hidden states [N, d] at the positions that predict response tokens. ``keys``: of ``model_input``."""
    inputs = model_input(sequences, layout, policy.tokenizer.pad_token_id, policy.device, keys)
    with policy.autocast():
        return response_hidden(decoder or policy.causal_lm.get_decoder(), inputs)


def layout_of(policy: Policy, loss: LossConfig) -> Layout:
    """How rows are laid out for this model."""
    if loss.packed:
        return "packed"
    return "shared" if loss.shared_prefixes and _takes_any_mask(policy) else "padded"


def _takes_any_mask(policy: Policy) -> bool:
    """Whether attention is all that joins tokens, and takes a mask as it is: no window, no recurrent state."""
    config = policy.causal_lm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return kinds == {"full_attention"} and not windowed and config._attn_implementation == "sdpa"


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
