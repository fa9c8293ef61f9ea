"""Rows of token ids to model input, and back to the hidden states of response tokens."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import torch

from coopt.lm.training.trees import Forest, grow

PromptResponse = tuple[tuple[int, ...], tuple[int, ...]]
"""(prompt ids, response ids)"""
T = TypeVar("T")
Layout = Literal["padded", "packed", "shared"]


class ModelInput(NamedTuple):
    """What the decoder reads, and where each response token is predicted."""

    kwargs: dict[str, torch.Tensor]
    rows: torch.Tensor
    columns: torch.Tensor
    """[N] batch line and position whose hidden state predicts response token n, sequence after sequence."""


def model_input(
    sequences: Sequence[PromptResponse],
    layout: Layout,
    pad: int,
    device: torch.device,
    keys: Sequence[Hashable] | None = None,
) -> ModelInput:
    """Lay out sequences right-padded [batch, time], packed one after another [1, total time], or shared: those of equal
    key (without ``keys``, of equal prompt) as one tree.

    Packed sequences are told apart by their position ids, which start again at 0.
    """
    if layout == "shared":
        return _shared_input(sequences, [p for p, _ in sequences] if keys is None else keys, pad, device)
    packed = layout == "packed"
    lengths = [len(p) + len(r) for p, r in sequences]
    starts = [sum(lengths[:k]) if packed else 0 for k in range(len(lengths))]
    rows = [0 if packed else k for k, (_, r) in enumerate(sequences) for _ in r]
    # Position t predicts token t + 1, so the response's first token is predicted at the prompt's last place.
    columns = [s + len(p) - 1 + t for s, (p, r) in zip(starts, sequences, strict=True) for t in range(len(r))]
    places = torch.tensor(rows, device=device), torch.tensor(columns, device=device)
    if packed:
        ids = torch.tensor([[t for p, r in sequences for t in (*p, *r)]], device=device)
        positions = torch.cat([torch.arange(n, device=device) for n in lengths])[None]
        return ModelInput({"input_ids": ids, "position_ids": positions}, *places)
    # Right-padded: a causal model's earlier positions cannot see the padding, and no position moves.
    width = max(lengths)
    ids = torch.tensor([[*p, *r, *([pad] * (width - len(p) - len(r)))] for p, r in sequences], device=device)
    mask = torch.tensor([[1] * n + [0] * (width - n) for n in lengths], device=device)
    return ModelInput({"input_ids": ids, "attention_mask": mask}, *places)


def _shared_input(
    sequences: Sequence[PromptResponse], keys: Sequence[Hashable], pad: int, device: torch.device
) -> ModelInput:
    """A response's last token predicts nothing, and is left out."""
    forest = Forest(grow([(*p, *r[:-1]) for p, r in sequences], keys), pad, device)
    rows: list[int] = []
    columns: list[int] = []
    for k, (prompt, response) in enumerate(sequences):
        line, places = forest.places[k]
        rows += [line] * len(response)
        columns += places[len(prompt) - 1 :]
    kwargs = {"input_ids": forest.ids, "position_ids": forest.positions, "attention_mask": forest.mask}
    return ModelInput(kwargs, torch.tensor(rows, device=device), torch.tensor(columns, device=device))


def response_hidden(decoder: Any, inputs: ModelInput) -> torch.Tensor:
    """Final hidden states [N, d] at the positions that predict response tokens."""
    hidden: torch.Tensor = decoder(**inputs.kwargs, use_cache=False).last_hidden_state
    return hidden[inputs.rows, inputs.columns]


def by_tokens(rows: Sequence[T], lengths: Sequence[int], budget: int) -> Iterator[list[T]]:
    """Micro-batches of rows of similar length whose padded size stays within ``budget`` tokens.

    A single row over the budget is a batch of its own: nothing is cut.
    """
    order = sorted(range(len(rows)), key=lambda k: lengths[k])
    batch: list[T] = []
    for k in order:
        if batch and (len(batch) + 1) * lengths[k] > budget:
            yield batch
            batch = []
        batch.append(rows[k])
    if batch:
        yield batch
