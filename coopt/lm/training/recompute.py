"""Activation checkpointing: a block keeps its input only, and computes the rest again in the backward pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

from coopt.core.errors import ModelError
from coopt.lm.policy import Policy


def transformer_blocks(policy: Policy) -> list[torch.nn.Module]:
    """The model's repeated blocks, first to last, as transformers names them. Raises ``ModelError``."""
    lm = policy.causal_lm
    names = set(lm._no_split_modules or ())
    # Sharding gives a module a class of its own, derived from the one that transformers names.
    blocks = [m for m in lm.get_decoder().modules() if names & {c.__name__ for c in type(m).__mro__}]
    if not blocks:
        raise ModelError(
            f"models of type '{lm.config.model_type}' do not name their blocks: they cannot be sharded or recomputed."
            " Set parallel.ranks = 1 and parallel.activation_checkpointing = false."
        )
    return blocks


def recompute_activations(policy: Policy) -> None:
    """Make every block recompute. transformers' own switch works in training mode only, and a policy stays in
    evaluation mode: without dropout, recomputing needs no random state."""
    for block in transformer_blocks(policy):
        block.forward = partial(_recomputed, block.forward)


def _recomputed(forward: Any, *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
