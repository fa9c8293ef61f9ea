"""Memory of eight students in training as adapters on one base, against one such student.

Each student has done an update, so it holds its adapter, gradients, AdamW's moments and the teacher's EMA shadows; all
are held at once, beside the one base. The base is random, with blocks of Qwen3-1.7B and a small vocabulary. Counted
twice: the bytes of all distinct tensors, and what a fresh process's resident memory grew by.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.perf.ratio import Ratio, in_fresh_process
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.processes import set_up_torch
from coopt.core.quiet import quiet_libraries
from coopt.driver.plan.shape import QWEN3_8B, shape_of
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import Policy, save_policy
from coopt.lm.shared import load_student
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

STUDENTS = 8
SIZES: dict[str, dict[str, Any]] = {
    "Qwen3-0.6B": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "Qwen3-1.7B": {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16},
    "Qwen3-8B": {},
}
"""What their config.json says otherwise than Qwen3-8B's; the small ones also tie head and embedding."""
BLOCKS = 4
"""Of the base that is measured."""
ADAPTERS, FULL = ["model.weights=lora", "model.shared_base=true"], ["model.weights=full"]
ROWS = [TrainRow((1, 5, 9), (1, 5, 9, 30, 31), (40, 41, 42))]


class Held(NamedTuple):
    resident: float
    """MiB that the process has grown by."""
    tensors: float
    """MiB of the storages of all tensors, each once."""


def measure(pairs: int) -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        parameters = in_fresh_process(make_base, base)
        eight = [in_fresh_process(held, base, ADAPTERS, STUDENTS) for _ in range(pairs)]
        one = [in_fresh_process(held, base, ADAPTERS, 1) for _ in range(pairs)]
        full = in_fresh_process(held, base, FULL, 1)
    what = f"{STUDENTS} students in training, adapters of rank {load_config().model.lora_rank}"
    notes = [
        f"base: {parameters / 1e6:,.0f} million parameters, float32",
        f"one fully trained student: resident {full.resident:,.0f} MiB, tensors {full.tensors:,.0f} MiB",
        "by the tensors' sizes alone: " + "; ".join(f"{name} {expected(name):.3f}" for name in SIZES),
    ]
    both = list(zip(eight, one, strict=True))
    return [
        Ratio(
            name="adapters/resident", what=f"resident memory of {what}", against="one such student", unit="MiB",
            pairs=[(a.resident, b.resident) for a, b in both], at_most=1.25, notes=notes,
        ),
        Ratio(
            name="adapters/tensors", what=f"tensors of {what}", against="one such student", unit="MiB",
            pairs=[(a.tensors, b.tensors) for a, b in both], at_most=1.25,
        ),
    ]  # fmt: skip


def make_base(directory: Path) -> int:
    """Write the random base; its number of parameters."""
    quiet_libraries()
    tokenizer = build_tokenizer()
    tree = tree_of("Qwen3-1.7B") | {"vocab_size": len(tokenizer), "num_hidden_layers": BLOCKS}
    tokens = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**tree, **tokens))
    save_policy(Policy(model, tokenizer), directory)
    return model.num_parameters()


def tree_of(name: str) -> dict[str, Any]:
    return QWEN3_8B | SIZES[name] | {"tie_word_embeddings": name != "Qwen3-8B"}


def held(base: Path, settings: list[str], count: int) -> Held:
    """By ``count`` students in this process, each after an update."""
    set_up_torch(1)
    config = load_config(settings=[*settings, f"model.path={base}", "run.device=cpu"])
    before = psutil.Process().memory_info().rss
    trainers = [student(config, base, k) for k in range(count)]
    gc.collect()
    grown = psutil.Process().memory_info().rss - before
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors(trainers)}
    return Held(grown / 2**20, sum(storages.values()) / 2**20)


def student(config: Config, base: Path, k: int) -> LocalTrainer:
    policy = load_student(config, base)
    policy = make_trainable(policy, config.model.weights, config.model.lora_rank, k)
    trainer = LocalTrainer(policy, config)
    trainer.update(ROWS, 1)
    return trainer


def tensors(trainers: list[LocalTrainer]) -> Iterator[torch.Tensor]:
    """Weights, buffers, gradients, moments and shadows."""
    for trainer in trainers:
        model = trainer.policy.model
        yield from model.buffers()
        for parameter in model.parameters():
            yield parameter.data
            if parameter.grad is not None:
                yield parameter.grad
        for state in trainer.optimizer.state.values():
            yield from state.values()
        yield from trainer.teacher.shadows.values()


def expected(name: str) -> float:
    """The ratio of the tensors of the real model's students, by its sizes."""
    shape = shape_of(tree_of(name), name)
    trained, count = shape.trained(load_config().model.lora_rank)
    base, each = 4 * shape.parameters, 5 * 4 * trained + 4 * count  # AdamW counts the steps of each tensor
    return (base + STUDENTS * each) / (base + each)
