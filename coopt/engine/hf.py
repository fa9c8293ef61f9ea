"""The transformers engine: batched decoding with a static key-value cache, on any device.

Every distinct prompt is read once and its cache row is then copied for each of its samples. Rows that have
ended are dropped from the batch. Each row draws from uniform numbers of its own (inverse transform), so that
its text does not depend on its neighbours in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from transformers import StaticCache

from coopt.engine.base import Generation, Sampling, check_room
from coopt.models.policy import Policy


class HFEngine:
    """Generation with the policy's own module: it always serves the present weights.

    ``logprobs``: also give the log-probability of every token, which costs a softmax a position.
    """

    def __init__(
        self, batch_rows: int, on_batch: Callable[[int, int], None] | None = None, *, logprobs: bool = False
    ) -> None:
        self.batch_rows = batch_rows
        self.on_batch = on_batch or (lambda rows, tokens: None)
        self.logprobs = logprobs
        self.policy: Policy | None = None

    def sync(self, policy: Policy) -> None:
        self.policy = policy

    def rest(self) -> None:
        """The weights are the trainer's own: there is nothing to give back."""

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, rng: np.random.Generator
    ) -> list[list[Generation]]:
        assert self.policy is not None, "sync a policy first"
        check_room(prompts, sampling, self.policy.context_length)
        uniforms = rng.random((len(prompts), samples, sampling.max_tokens), dtype=np.float32)
        per_batch = max(1, self.batch_rows // samples)
        by_length = sorted(range(len(prompts)), key=lambda k: len(prompts[k]))  # little padding
        answers: list[list[Generation]] = [[] for _ in prompts]
        for start in range(0, len(prompts), per_batch):
            chosen = by_length[start : start + per_batch]
            draws = torch.from_numpy(uniforms[chosen].reshape(-1, sampling.max_tokens))
            with self.policy.autocast():
                rows = _decode(self.policy, [prompts[k] for k in chosen], samples, sampling, draws, self.logprobs)
            self.on_batch(len(rows), sum(len(r.tokens) for r in rows))
            for place, k in enumerate(chosen):
                answers[k] = rows[place * samples : (place + 1) * samples]
        return answers


@torch.inference_mode()
def _decode(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    samples: int,
    sampling: Sampling,
    uniforms: torch.Tensor,
    logprobs: bool,
) -> list[Generation]:
    """Decode ``samples`` rows per prompt. ``uniforms``: [prompts * samples, max_tokens]."""
    device, model = policy.device, policy.model
    ids, mask = _left_pad(prompts, policy.tokenizer.pad_token_id, device)
    width = ids.shape[1]
    cache = StaticCache(config=policy.causal_lm.config, max_cache_len=width + sampling.max_tokens)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    expand = torch.arange(len(prompts), device=device).repeat_interleave(samples)
    _select(cache, expand)
    logits, mask = out.logits[expand, -1], mask[expand]
    position = positions[expand, -1:]
    alive = torch.arange(len(expand), device=device)  # which row each batch line is
    stops = torch.tensor(sorted(policy.stop_ids()), device=device)
    uniforms = uniforms.to(device)
    written = torch.full((len(expand), sampling.max_tokens), -1, dtype=torch.long, device=device)
    scored = torch.zeros(written.shape, device=device) if logprobs else None
    for t in range(sampling.max_tokens):
        token = sample(logits, sampling, uniforms[alive, t])
        written[alive, t] = token
        if scored is not None:
            scored[alive, t] = logits.float().log_softmax(-1).gather(-1, token[:, None]).squeeze(1)
        going = ~torch.isin(token, stops)
        if t + 1 == sampling.max_tokens or not going.any():
            break
        # Dropping a row costs a copy of the cache, so wait until a quarter of the rows has ended.
        if going.sum() <= 0.75 * len(going):
            keep = going.nonzero().squeeze(1)
            _select(cache, keep)
            alive, token, mask, position = alive[keep], token[keep], mask[keep], position[keep]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        position = position + 1
        logits = model(
            input_ids=token[:, None], attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True
        ).logits[:, -1]
    rows = written.tolist()
    values: list[list[float]] = [[] for _ in rows] if scored is None else scored.tolist()
    return [_generation(policy, *row) for row in zip(rows, values, strict=True)]


def sample(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor) -> torch.Tensor:
    """One token a row. ``logits`` [rows, vocabulary], ``uniforms`` [rows] in [0, 1)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits.float() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = probabilities.scatter(-1, order, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.cumsum(-1)
    # Scaling by the total makes truncated and rounded distributions proper ones.
    targets = uniforms[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, targets, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)


def _left_pad(prompts: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(p) for p in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    return ids, mask


def _select(cache: StaticCache, rows: torch.Tensor) -> None:
    """Make the cache hold ``rows`` of itself, in that order (repeats allowed)."""
    layers: list[Any] = cache.layers
    for layer in layers:
        layer.reorder_cache(rows)
        layer.batch_size = len(rows)


def _generation(policy: Policy, row: list[int], logprobs: list[float]) -> Generation:
    stops = policy.stop_ids()
    tokens: list[int] = []
    for token in row:
        if token < 0:
            break
        tokens.append(token)
        if token in stops:
            break
    finished = bool(tokens) and tokens[-1] in stops
    return Generation(tuple(tokens), policy.decode(tokens), finished, tuple(logprobs[: len(tokens)]))
