"""Activation checkpointing: a block keeps its input only, and computes the rest again in the backward pass."""

from __future__ import annotations

from functools import cache
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
        # By its class: a function put into the block would hold the block, and a model that holds itself stays on the
        # GPU after its last use, until Python looks for such circles.
        kind: Any = type(block)
        if not issubclass(kind, Recomputing):
            block.__class__ = _recomputing(kind)


class Recomputing(torch.nn.Module):
    """What a block becomes, before its own class."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        own = super().forward
        if not torch.is_grad_enabled():
            return own(*args, **kwargs)
        return checkpoint(own, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)


@cache
def _recomputing(kind: Any) -> type[torch.nn.Module]:
    return type(f"Recomputing{kind.__name__}", (Recomputing, kind), {})
