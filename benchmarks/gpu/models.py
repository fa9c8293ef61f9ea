"""Models of real shapes with random weights, and rows for them. A step costs the same whatever is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.perf.adapters import tree_of
from benchmarks.perf.untrained import build_tokenizer
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.lm.device import pick_device
from coopt.lm.policy import Policy
from coopt.lm.training.base import TrainRow

TINY = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 2000, "max_position_embeddings": 4096,
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is done: on a GPU what a paper's step has, in a dry run as little as goes through every line."""

    dry: bool

    @property
    def device(self) -> torch.device:
        return pick_device("cpu" if self.dry else "auto")

    @property
    def shapes(self) -> tuple[str, ...]:
        return ("tiny",) if self.dry else ("Qwen3-0.6B", "Qwen3-1.7B")

    def of(self, real: int, dry: int) -> int:
        return dry if self.dry else real

    def tree(self, shape: str) -> dict[str, Any]:
        """A config.json."""
        return tree_of("Qwen3-0.6B") | TINY if shape == "tiny" else tree_of(shape)

    def policy(self, shape: str, *, dtype: str = "bfloat16", device: torch.device | None = None) -> Policy:
        """Float32 weights, drawn from one seed, that compute in ``dtype``."""
        tree = self.tree(shape)
        tokenizer = build_tokenizer(tree["vocab_size"])
        tree |= {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
        torch.manual_seed(0)
        with device or self.device:
            model = Qwen3ForCausalLM(Qwen3Config(**tree))
        return Policy(model.eval(), tokenizer, getattr(torch, dtype))

    def config(self, *settings: str, dtype: str = "bfloat16") -> Config:
        """Settings of a step of the paper's kind."""
        return load_config(
            settings=[f"model.dtype={dtype}", f"run.device={self.device.type}", "optimizer.warmup=0", *settings]
        )

    def rows(self, count: int, prompt: int, context: int, response: int) -> list[TrainRow]:
        """Distinct rows: tokens of prompt, of the teacher's prompt and of the response."""
        vocabulary = self.tree(self.shapes[0])["vocab_size"]
        rng = generator("acceptance")

        def ids(tokens: int) -> tuple[int, ...]:
            return tuple(rng.integers(10, vocabulary, size=tokens).tolist())

        return [TrainRow(ids(prompt), ids(context), ids(response)) for _ in range(count)]
