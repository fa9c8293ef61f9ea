"""The sizes of a model, from its config.json: the architecture is built without memory for its weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from coopt.core.config.ways import EMBEDDED
from coopt.core.errors import CooptError, ModelError
from coopt.core.temporary import importing_torch
from coopt.lm.bases import SCIMINI_BASE, base_directory

# Qwen/Qwen3-8B's config.json, for plans on machines that do not have the model.
QWEN3_8B: dict[str, Any] = {
    "model_type": "qwen3",
    "hidden_size": 4096,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 12288,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Shape:
    """Sizes of a causal language model. Counts are numbers of values, not bytes."""

    name: str
    parameters: int
    tensors: int
    """Parameter tensors; AdamW keeps a step counter for each."""
    block: int
    """Parameters of the largest transformer block."""
    head: int
    """Parameters of the output head (the embedding's, where they are tied)."""
    linear: int
    """Sum of inputs + outputs over the linear layers of the blocks: an adapter has rank times as many parameters."""
    linear_tensors: int
    """Parameter tensors of such an adapter."""
    layers: int
    hidden: int
    queries: int
    """Width of all query heads."""
    keys: int
    """Width of all key heads; values have as many."""
    intermediate: int
    vocabulary: int

    @property
    def root(self) -> int:
        """Parameters outside the blocks: embeddings, last norm, head."""
        return max(self.head, self.parameters - self.layers * self.block)

    def trained(self, rank: int | None) -> tuple[int, int]:
        """(parameters, tensors) that are trained: all, or those of an adapter of ``rank``."""
        return (self.parameters, self.tensors) if rank is None else (rank * self.linear, self.linear_tensors)


def model_shape(path: str) -> tuple[Shape, bool]:
    """The shape of a base by name or directory, and whether it is there; one that is not has Qwen3-8B's sizes,
    an embedded one the shipped base's.

    Raises ``ModelError`` if its config.json does not describe a causal language model.
    """
    try:
        directory = base_directory(path)
    except CooptError:
        if path in EMBEDDED:
            return read_shape(SCIMINI_BASE), False
        return shape_of(QWEN3_8B, "Qwen3-8B"), False
    return read_shape(directory), True


@lru_cache(maxsize=8)
def read_shape(directory: Path) -> Shape:
    """The shape of a model directory, from its config.json alone. Raises ``ModelError``."""
    from transformers import AutoConfig

    if not (directory / "config.json").is_file():
        raise ModelError(f"model '{directory}': config.json is missing. Give a local Hugging Face causal LM directory.")
    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        return _shape(config, directory.name)
    except Exception as error:  # transformers raises many kinds for a broken file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"model '{directory}': config.json does not describe a causal language model ({reason[:300]})."
        ) from None


def shape_of(tree: dict[str, Any], name: str) -> Shape:
    """The shape of the model that a config.json's contents describe."""
    from transformers import AutoConfig

    return _shape(AutoConfig.for_model(**tree), name)


def _shape(config: Any, name: str) -> Shape:
    import torch

    with importing_torch():
        from transformers import AutoModelForCausalLM
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    text = config.get_text_config()
    blocks = max((m for m in model.modules() if isinstance(m, torch.nn.ModuleList)), key=len)
    head = model.get_output_embeddings()
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    keys = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    return Shape(
        name=name,
        parameters=_count(model),
        tensors=len(list(model.parameters())),
        block=max(map(_count, blocks)),
        head=_count(head),
        linear=sum(m.in_features + m.out_features for m in linear),
        linear_tensors=2 * len(linear),
        layers=len(blocks),
        hidden=text.hidden_size,
        queries=width * text.num_attention_heads,
        keys=width * keys,
        intermediate=text.intermediate_size,
        vocabulary=text.vocab_size,
    )


def _count(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())
