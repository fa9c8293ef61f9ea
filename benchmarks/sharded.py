"""What does sharding cost, and what does it save? One process against FSDP2 with one rank and with two.

    python benchmarks/sharded.py

The same random model (Qwen3's architecture) and the same rows in the same run; every process has one torch thread,
so two ranks have two cores where one process has one. Prints tokens trained on per second (the median step), how far
the losses are from those of one process, and the bytes that a rank holds for weights, moments and teacher.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.quiet import quiet_libraries
from coopt.core.rng import generator
from coopt.lm import ranks
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

STEPS, ROWS, PROMPT, RESPONSE = 5, 16, 48, 32
VOCABULARY = 4000


def make_policy() -> Policy:
    torch.manual_seed(0)
    shape = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=256, intermediate_size=768, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=512, tie_word_embeddings=False,
    )  # fmt: skip
    return make_trainable(Policy(Qwen3ForCausalLM(shape).eval(), build_tokenizer()), "full", 8, "bench")


def rows(step: int) -> list[TrainRow]:
    rng = generator("sharded", step)
    made = []
    for _ in range(ROWS):
        prompt, more, response = (tuple(map(int, rng.integers(4, VOCABULARY, n))) for n in (PROMPT, PROMPT, RESPONSE))
        made.append(TrainRow(prompt, prompt + more, response))
    return made


def measure(trainer: LocalTrainer) -> dict[str, Any]:
    """Losses, median seconds of a step (the first one is not counted), bytes held."""
    losses, seconds = [], []
    for step in range(STEPS + 1):
        start = time.perf_counter()
        losses.append(trainer.update(rows(step), ROWS).loss)
        seconds.append(time.perf_counter() - start)
    held = [*trainer.policy.trainable().values(), *trainer.teacher.shadows.values()]
    held += [t for state in trainer.optimizer.state.values() for t in state.values()]
    local = [t.to_local() if hasattr(t, "to_local") else t for t in held]
    size = sum(t.numel() * t.element_size() for t in local)
    return {"losses": losses, "seconds": statistics.median(seconds[1:]), "bytes": size}


def as_rank(file: str) -> None:
    from coopt.lm.training.sharded import ShardedTrainer

    found = measure(ShardedTrainer(make_policy(), settings()))
    if ranks.leads():
        store.write_json(Path(file), found)


def settings() -> Any:
    return load_config(settings=["loss.batch_tokens=1024", "optimizer.warmup=0"])


def main() -> None:
    torch.set_num_threads(1)
    quiet_libraries()
    policy = make_policy()
    parameters = sum(p.numel() for p in policy.model.parameters())
    tokens = ROWS * (3 * PROMPT + 2 * RESPONSE)  # read by student and teacher
    print(f"{parameters / 1e6:.1f} M parameters, {ROWS} rows and {tokens} tokens a step")
    found = {"one process": measure(LocalTrainer(policy, settings()))}
    with tempfile.TemporaryDirectory() as folder:
        for n in (1, 2):
            ranks.launch_ranks(n, as_rank, [f"{folder}/{n}.json"])
            found[f"FSDP2, {n} rank{'s' * (n > 1)}"] = store.read_json(Path(f"{folder}/{n}.json"))
    reference = found["one process"]["losses"]
    for name, result in found.items():
        apart = max(abs(a - b) for a, b in zip(result["losses"], reference, strict=True))
        print(
            f"{name:15} {tokens / result['seconds']:8,.0f} tokens/s  {result['bytes'] / 2**20:6.1f} MiB a rank"
            f" ({result['bytes'] / parameters:.1f} bytes a parameter)  losses differ by at most {apart:.1e}"
        )


if __name__ == "__main__":
    main()
