"""What a model says about response tokens: hidden states, then logits in float32."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.nn import functional as F

from coopt.core.config.schema import LossConfig
from coopt.lm.policy import Policy
from coopt.lm.training.batch import Layout, PromptResponse, model_input, response_hidden
from coopt.lm.training.head import reduced_linear


def hidden_states(
    policy: Policy,
    sequences: Sequence[PromptResponse],
    layout: Layout = "padded",
    *,
    keys: Sequence[Hashable] | None = None,
    decoder: torch.nn.Module | None = None,
    device: torch.device | None = None,
) -> torch.Tensor:
    """Final hidden states [N, d] at the positions that predict response tokens. ``keys``: of ``model_input``.
    ``device``: where the model computes, if its weights do not say so."""
    inputs = model_input(sequences, layout, policy.pad_id, device or policy.device, keys)
    # The head is left out: it is applied in chunks, in float32 (``logits32``).
    with policy.autocast():
        return response_hidden(decoder or policy.causal_lm.get_decoder(), inputs)


_TRIED: WeakKeyDictionary[Policy, dict[Layout, bool]] = WeakKeyDictionary()
"""Which layouts a loaded model takes; each is tried once."""


def layout_of(policy: Policy, loss: LossConfig) -> Layout:
    """How rows are laid out for this model: as the settings say, if it then reads each row as it reads it alone."""
    wanted: Layout = "packed" if loss.packed else "padded"
    if not loss.packed and loss.shared_prefixes and _takes_any_mask(policy):
        wanted = "shared"
    tried = _TRIED.setdefault(policy, {"padded": True})
    if wanted not in tried:
        tried[wanted] = _reads_rows_apart(policy, wanted)
        if not tried[wanted]:
            kind = policy.causal_lm.config.model_type
            print(f"loss: a model of type '{kind}' reads rows laid out {wanted} differently than alone: they are"
                  " padded.",
                  file=sys.stderr)  # fmt: skip
    return wanted if tried[wanted] else "padded"


@torch.no_grad()
def _reads_rows_apart(policy: Policy, layout: Layout) -> bool:
    """Some models ignore that positions start again, and rows laid out together see one another (Falcon, packed).
    Nothing says so but the numbers: three short rows, together and each alone."""
    shared, own = (5, 6, 7), ((8, 9), (10,), (11, 12, 13))
    rows = [(shared, response) for response in own]
    together = hidden_states(policy, rows, layout)
    alone = torch.cat([hidden_states(policy, [row]) for row in rows])
    tolerance = 1e-3 if policy.compute_dtype == torch.float32 else 0.1
    scale = alone.float().abs().mean()
    return bool(((together - alone).float().abs().mean() / scale) < tolerance)


def _takes_any_mask(policy: Policy) -> bool:
    """Whether attention is all that joins tokens, and takes a mask as it is: no window, no recurrent state."""
    config = policy.causal_lm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    windowed = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return kinds == {"full_attention"} and not windowed and config._attn_implementation == "sdpa"


def logits32(
    lm: Any, hidden: torch.Tensor, weights: dict[str, torch.Tensor] | None = None, *, reduced: bool = False
) -> torch.Tensor:
    """Logits [N, V] of a causal LM in float32 or better: rounding logits to bfloat16 would ruin the gradient where
    teacher and student are close. ``weights``: in place of the head's own. ``reduced``: operands of the head's product
    are rounded to bfloat16 (``coopt.lm.training.head``), the logits are not."""
    parameters = dict(lm.get_output_embeddings().named_parameters()) | (weights or {})
    bias = parameters.get("bias")
    if reduced:
        logits = reduced_linear(hidden, parameters["weight"])
        return _finished(logits if bias is None else logits + bias, lm)
    wide = torch.promote_types(hidden.dtype, torch.float32)
    weight = parameters["weight"].to(wide)
    return _finished(F.linear(hidden.to(wide), weight, None if bias is None else bias.to(wide)), lm)


def _finished(logits: torch.Tensor, lm: Any) -> torch.Tensor:
    """What some models do after their head. ``adapters.make_trainable`` refuses a model that does something else."""
    config = lm.config.get_text_config()
    if scaling := getattr(config, "logits_scaling", None):  # Granite divides by it
        logits = logits / scaling
    if scale := getattr(config, "logit_scale", None):  # Cohere multiplies by it
        logits = logits * scale
    if cap := getattr(config, "final_logit_softcapping", None):  # Gemma 2 and 4: cap * tanh(logits / cap)
        logits = cap * torch.tanh(logits / cap)
    return logits
