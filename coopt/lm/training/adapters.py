"""What is trained of a model: all of its weights, or a LoRA adapter on all linear layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch

from coopt.core.errors import ModelError
from coopt.core.rng import stable_hash
from coopt.lm.policy import Policy
from coopt.lm.training.forward import logits32

_MAMBA = frozenset(("falcon_h1", "mamba", "mamba2", "falcon_mamba", "nemotron_h"))
_MAMBA_KEEPS = ["out_proj", "conv1d"]
"""What peft refuses to adapt in these models: their kernels read the weights and never call the modules."""


def make_trainable(policy: Policy, weights: Literal["full", "lora"], rank: int, *key: object) -> Policy:
    """The policy with its trained parameters marked. A new adapter's random start comes from ``key``.

    Raises ``ModelError`` if the model's logits are not its head applied to its last hidden state.
    """
    _check_head(policy)
    if weights == "full":
        policy.model.requires_grad_(True)
        return policy
    if policy.base is not None and policy.model is not policy.causal_lm:  # an adapter on the shared base: train it on
        for name, parameter in policy.model.named_parameters():
            parameter.requires_grad_(".lora_" in name)
        return policy
    from peft import LoraConfig, get_peft_model  # seconds, which who trains all weights does without

    kept = _MAMBA_KEEPS if policy.causal_lm.config.model_type in _MAMBA else None
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", exclude_modules=kept, task_type="CAUSAL_LM"
    )
    # peft draws from the global generator: forked, so that the run's other draws do not depend on it.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_hash(*key, "lora") % 2**63)
        adapted = get_peft_model(policy.model, settings)
    return replace(policy, model=adapted.eval())


@torch.no_grad()
def _check_head(policy: Policy) -> None:
    """The chunked loss applies the head itself; a model that scales or caps its logits would be trained wrong."""
    ids = torch.arange(4, device=policy.device)[None]
    lm = policy.causal_lm
    hidden = lm.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
    expected = lm(input_ids=ids, use_cache=False).logits
    if not torch.allclose(logits32(lm, hidden), expected, atol=1e-3, rtol=1e-3):
        name = lm.config.model_type
        raise ModelError(
            f"models of type '{name}' change their logits after the head in a way of their own: not supported. Use a"
            " model of another family."
        )
