"""The transformers engine: batched decoding with a static key-value cache, on any device.

Every prompt is read once, however often it is asked, and rows that have written the same tokens after it are computed
once, as one line of the batch: where they part, the line's cache is copied. Lines whose rows have ended are dropped.
Each row draws from uniform numbers of its own (inverse transform), so that its text does not depend on its neighbours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from transformers import StaticCache

from coopt.lm.engines.base import Draws, FloatArray, Generation, Sampling, check_room
from coopt.lm.policy import Policy

Answers = list[list[Generation]]


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

    def forget(self) -> None:
        self.policy = None

    def generate(self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws) -> Answers:
        assert self.policy is not None, "sync a policy first"
        check_room(prompts, sampling, self.policy.context_length)
        uniforms = draws.uniforms(len(prompts), samples, sampling.max_tokens)
        return self._answer(Asked(self.policy, prompts, samples, sampling, uniforms, self))

    def _answer(self, asked: Asked) -> Answers:
        return write(asked)


class Asked(NamedTuple):
    """A call of ``generate``, its random numbers drawn."""

    policy: Policy
    prompts: Sequence[Sequence[int]]
    samples: int
    sampling: Sampling
    uniforms: FloatArray
    engine: HFEngine

    @property
    def per_batch(self) -> int:
        """Prompts that are written at once."""
        return max(1, self.engine.batch_rows // self.samples)


def write(asked: Asked) -> Answers:
    """The responses to each prompt, by the policy's own module."""
    policy, prompts, samples, sampling, uniforms, engine = asked
    first: dict[tuple[int, ...], int] = {}
    same = [first.setdefault(tuple(p), k) for k, p in enumerate(prompts)]  # of equal prompts the first
    # The order of batches is no part of a text: every row has its own random numbers.
    by_length = sorted(range(len(prompts)), key=lambda k: (len(prompts[k]), same[k]))  # little padding, equals together
    answers: Answers = [[] for _ in prompts]
    for start in range(0, len(prompts), asked.per_batch):
        chosen = by_length[start : start + asked.per_batch]
        drawn = torch.from_numpy(uniforms[chosen].reshape(-1, sampling.max_tokens))
        lines = {k: n for n, k in enumerate(dict.fromkeys(same[k] for k in chosen))}
        line = torch.tensor([lines[same[k]] for k in chosen]).repeat_interleave(samples)
        with policy.autocast():
            rows = decode(policy, [prompts[k] for k in lines], line, sampling, drawn, engine.logprobs)
        engine.on_batch(len(rows), sum(len(r.tokens) for r in rows))
        for place, k in enumerate(chosen):
            answers[k] = rows[place * samples : (place + 1) * samples]
    return answers


class _Cache(StaticCache):
    """Keys and values in the precision of compute. Under autocast a model's keys may come in float32 (rotary embeddings
    compute there) and its values in bfloat16, of which one cache cannot hold both; attention casts both to bfloat16.
    Without it they are as the model gives them, in float64 too."""

    def __init__(self, policy: Policy, length: int) -> None:
        super().__init__(config=policy.causal_lm.config, max_cache_len=length)
        self.autocast_to = policy.compute_dtype if policy.compute_dtype != torch.float32 else None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.autocast_to is not None:
            key_states, value_states = key_states.to(self.autocast_to), value_states.to(self.autocast_to)
        held: tuple[torch.Tensor, torch.Tensor] = super().update(key_states, value_states, layer_idx, *args, **kwargs)
        return held


class Owners(Protocol):
    """Whose the lines of a batch are, where it is not one policy's."""

    def keep(self, kept: torch.Tensor) -> None:
        """Go on with these lines, in their order."""
        ...


@torch.inference_mode()
def decode(
    policy: Policy,
    prompts: Sequence[Sequence[int]],
    line: torch.Tensor,
    sampling: Sampling,
    uniforms: torch.Tensor,
    logprobs: bool = False,
    model: Any = None,
    owners: Owners | None = None,
) -> list[Generation]:
    """Decode rows. ``line`` [rows]: the place of each one's prompt; ``uniforms``: [rows, max_tokens]. ``model``: in
    place of the policy's own; ``owners``: is told which lines go on."""
    device, model = policy.device, model or policy.model
    ids, mask = _left_pad(prompts, policy.pad_id, device)
    width = ids.shape[1]
    cache = _Cache(policy, width + sampling.max_tokens)
    # Left padding moves a prompt: its positions are counted from its own first token.
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    recurrent = _is_recurrent(policy)
    told: dict[str, Any] = {"cache_params" if recurrent else "past_key_values": cache, "use_cache": True}
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, logits_to_keep=1, **told).logits[:, -1]
    position = positions[:, -1:]
    stops = torch.tensor(sorted(policy.stop_ids()), device=device)
    uniforms = uniforms.to(device)
    rows = torch.arange(len(uniforms), device=device)  # those that are still written
    line = line.to(device)  # of the batch, which each of them reads
    written = torch.full((len(rows), sampling.max_tokens), -1, dtype=torch.long, device=device)
    scored = torch.zeros(written.shape, device=device) if logprobs else None
    for t in range(sampling.max_tokens):
        token = sample(logits, sampling, uniforms[rows, t], line)
        written[rows, t] = token
        if scored is not None:
            scored[rows, t] = logits.float().log_softmax(-1)[line, token]
        going = ~torch.isin(token, stops)
        if t + 1 == sampling.max_tokens or not going.any():
            break
        rows = rows[going]
        line, kept, token = branch(line[going], token[going], len(logits))
        if kept is not None:
            _select(cache, kept)
            if owners is not None:
                owners.keep(kept)
            mask, position = mask[kept], position[kept]
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        position = position + 1
        seen = None if recurrent else mask
        logits = model(input_ids=token[:, None], attention_mask=seen, position_ids=position, **told).logits[:, -1]
    values: list[list[float]] = [[] for _ in written] if scored is None else scored.tolist()
    decode = lru_cache(maxsize=None)(policy.response)  # many rows are equal
    return [_generation(policy.stop_ids(), decode, *row) for row in zip(written.tolist(), values, strict=True)]


def _is_recurrent(policy: Policy) -> bool:
    """Whether all of the model's memory is a state (Mamba): its cache then has a name of its own, and a mask is for
    the prompt alone."""
    return "cache_params" in inspect.signature(policy.causal_lm.forward).parameters


def branch(
    line: torch.Tensor, token: torch.Tensor, lines: int
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Rows that have written the same read the same line; a line whose rows have now written different tokens becomes
    several.

    ``line``, ``token``: of every row that goes on, its line and what it has written. Returns its new line, the old
    line of each new one (None: lines stay as they are), and the token of each new line.
    """
    pairs, new = torch.unique(line * (int(token.max()) + 1) + token, return_inverse=True)
    first = torch.empty_like(pairs).scatter_(0, new, torch.arange(len(new), device=new.device))
    old, tokens = line[first], token[first]
    # To drop lines costs a copy of the cache, so wait until a quarter of them has ended.
    if len(old) > 0.75 * lines and len(old.unique()) == len(old):
        return line, None, token.new_zeros(lines).scatter_(0, old, tokens)
    return new, old, tokens


def sample(logits: torch.Tensor, sampling: Sampling, uniforms: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    """One token a row. ``logits`` [lines, vocabulary]; of every row ``uniforms`` in [0, 1) and its ``line``."""
    if sampling.temperature == 0:
        return logits.argmax(-1)[line]
    probabilities = (logits.float() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = probabilities.scatter(-1, order, ordered.masked_fill(outside, 0.0))
    # Inverse transform: the first token whose cumulative probability exceeds the row's uniform number.
    cumulative = probabilities.cumsum(-1)[line]
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


def _generation(
    stops: frozenset[int], decode: Callable[[tuple[int, ...]], str], row: list[int], logprobs: list[float]
) -> Generation:
    length = row.index(-1) if -1 in row else len(row)
    tokens = tuple(row[:length])
    return Generation(tokens, decode(tokens), tokens[-1] in stops, tuple(logprobs[:length]))
