"""How likely a model finds given responses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from coopt.core.config.schema import LossConfig
from coopt.lm.policy import Policy
from coopt.lm.training.batch import PromptResponse, by_tokens
from coopt.lm.training.forward import hidden_states, layout_of, logits32
from coopt.lm.training.objectives import logprobs_of


@torch.no_grad()
def log_likelihoods(policy: Policy, rows: Sequence[PromptResponse], loss: LossConfig) -> list[float]:
    """log P(response | prompt) in nats, summed over the response's tokens, for each row. Equal rows are read once; how
    rows are laid out and how many at once, ``loss`` says."""
    lm, layout = policy.causal_lm, layout_of(policy, loss)
    step = max(1, loss.chunk_logits // lm.get_input_embeddings().num_embeddings)
    distinct = list(dict.fromkeys(rows))
    found: dict[PromptResponse, float] = {}
    for batch in by_tokens(distinct, [len(p) + len(r) for p, r in distinct], loss.batch_tokens):
        hidden = hidden_states(policy, batch, layout)
        ids = torch.tensor([t for _, response in batch for t in response], device=hidden.device)
        parts = [
            logprobs_of(logits32(lm, hidden[at : at + step]), ids[at : at + step]) for at in range(0, len(ids), step)
        ]
        own = torch.cat(parts).double().split([len(response) for _, response in batch])
        found |= {row: float(values.sum()) for row, values in zip(batch, own, strict=True)}
    return [found[row] for row in rows]
