"""Whether a model that vLLM serves holds the tensors of a file, to the bit. Runs in vLLM's process, without vLLM.

vLLM keeps some tensors of a checkpoint one after another in one of its own (query, key and value; gate and up).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open

_WINDOWS, _ROWS = 4, 16  # of every tensor so many pieces of so many rows are compared


class Compared(NamedTuple):
    """``share``: of the model's values, those of tensors that the file has too; ``differ``: names of those that are not
    what the file says, as the model calls them."""

    share: float
    differ: list[str]


@torch.no_grad()
def compare(model: Any, path: str) -> Compared:
    """Compare a model with the safetensors file at ``path``. What is laid out in a way of the model's own, or divided
    over processes, is left out and not counted."""
    packed: Mapping[str, Sequence[str]] = getattr(model, "packed_modules_mapping", {})
    total = known = 0
    differ: list[str] = []
    with safe_open(Path(path), "pt") as file:
        names = set(file.keys())
        for name, parameter in model.named_parameters():
            total += parameter.numel()
            parts = [file.get_slice(n) for n in _sources(name, names, packed)]
            if parts and _fits(parameter, [p.get_shape() for p in parts]):
                known += parameter.numel()
                if not _same(parameter, parts):
                    differ.append(name)
    return Compared(known / max(1, total), differ)


def _sources(name: str, names: set[str], packed: Mapping[str, Sequence[str]]) -> list[str]:
    """The file's tensors that make up one of the model's, in their order; none if it has not all of them."""
    if name in names:
        return [name]
    module, _, kind = name.rpartition(".")
    owner, _, own = module.rpartition(".")
    found = [f"{owner}.{part}.{kind}" for part in packed.get(own, ())]
    return found if found and set(found) <= names else []


def _fits(parameter: torch.Tensor, shapes: Sequence[Sequence[int]]) -> bool:
    """One below another they are the parameter, or its beginning: vocabularies are padded."""
    if any(len(s) != parameter.dim() or list(s[1:]) != list(parameter.shape[1:]) for s in shapes):
        return False
    rows = sum(s[0] for s in shapes) if parameter.dim() else 0
    return rows == parameter.shape[0] if len(shapes) > 1 else 0 < rows <= parameter.shape[0]


def _same(parameter: torch.Tensor, parts: Sequence[Any]) -> bool:
    start = 0
    for part in parts:
        rows = part.get_shape()[0]
        for first in sorted({(rows - min(rows, _ROWS)) * k // (_WINDOWS - 1) for k in range(_WINDOWS)}):
            sent = part[first : first + _ROWS]
            held = parameter[start + first : start + first + len(sent)].to("cpu")
            if held.dtype != sent.dtype or not torch.equal(held, sent):
                return False
        start += rows
    return True
