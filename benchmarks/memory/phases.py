"""Memory of a training step, phase by phase, with coopt's own trainers on tensors that have sizes and no values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor._sharding_prop import ShardingPropagator
from torch.testing._internal.distributed.fake_pg import FakeStore
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.memory.held import Held
from benchmarks.perf.untrained import build_tokenizer
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.memory import Placement, memory_parts, peaks
from coopt.driver.plan.shape import shape_of
from coopt.lm.policy import Policy
from coopt.lm.training import sharded, sharding
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

PROMPT, RESPONSE = 1024, 1024
TRAINING = ("teacher", "forward", "backward", "optimizer", "EMA")


class Lives(NamedTuple):
    """Bytes of one rank."""

    lasting: dict[str, int]
    """After a phase."""
    peaks: dict[str, int]
    """The most in a phase."""

    @property
    def generating(self) -> int:
        """While an engine writes, without it, its cache and tutors; the trainer's model reads the canary."""
        return max(self.lasting["serving"], self.peaks["canary"])

    @property
    def training(self) -> int:
        return max(self.peaks[phase] for phase in TRAINING)


def planned(config: Config, tree: dict[str, Any]) -> tuple[float, float]:
    """What ``coopt bench --dry-run`` says of the same: bytes while generating and while training."""
    parts = memory_parts(config, shape_of(tree, "simulated"), Assumed(), Placement.of(config))
    return peaks([p for p in parts if p.name not in ("tutor", "vLLM", "KV cache")])


def simulate(tree: dict[str, Any], config: Config) -> Lives:
    """Two steps of one rank of ``config.parallel.ranks``, the second of two full micro-batches, of a model with the
    config.json ``tree``."""
    lasting: dict[str, int] = {}
    peaks: dict[str, int] = {}
    with _no_values(config.parallel.ranks) as held:
        trainer = _trainer(tree, config)
        lasting["start"] = held.now
        with ExitStack() as stack:
            for name, phase in {"_teacher_hidden": "teacher", "_hidden": "forward", "_apply": "optimizer"}.items():
                stack.enter_context(_watched(held, trainer, name, peaks, phase))
            stack.enter_context(_watched(held, trainer.teacher, "update", peaks, "EMA"))
            stack.enter_context(_watched(held, trainer, "_accumulate", peaks, "backward"))
            for batches in (1, 2):
                rows = _rows(config, batches * config.parallel.ranks)
                trainer.update(rows, len(rows))
        lasting["update"] = held.now
        with held.peak_of(peaks, "serving"):
            served = trainer.serving()
        lasting["serving"] = held.now
        with held.peak_of(peaks, "canary"), torch.no_grad(), served.autocast():
            served.model(input_ids=torch.zeros(1, 64, dtype=torch.long), use_cache=False)
    return Lives(lasting, peaks)


@contextmanager
def _no_values(ranks: int) -> Iterator[Held]:
    """Tensors without values. Of several ranks this process is the first, and the others are made up."""
    with ExitStack() as stack:
        if ranks > 1:
            dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=ranks)
            stack.callback(dist.destroy_process_group)
            mesh = init_device_mesh("cpu", (ranks,))
            stack.enter_context(patch.object(sharding, "init_device_mesh", lambda *_: mesh))
            stack.enter_context(patch.object(sharded, "ShardedCheckpoints", lambda: None))
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        held = Held()
        stack.enter_context(_without_planning(held))
        yield stack.enter_context(held)


@contextmanager
def _without_planning(held: Held) -> Iterator[None]:
    """DTensor asks tensors without values what an operation on whole tensors would give; on a real machine too."""
    plan = ShardingPropagator._propagate_tensor_meta_non_cached

    def aside(self: Any, schema: Any) -> Any:
        with held.aside():
            return plan(self, schema)

    with patch.object(ShardingPropagator, "_propagate_tensor_meta_non_cached", aside):
        yield


def _trainer(tree: dict[str, Any], config: Config) -> LocalTrainer:
    tokenizer = build_tokenizer(2000)
    tree = tree | {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    model = Qwen3ForCausalLM(Qwen3Config(**tree)).eval()
    policy = Policy(model, tokenizer, getattr(torch, config.model.dtype))
    # A tensor without values cannot take another's place, as it would in peft; and it is where it is to be.
    with patch.object(torch.nn.Module, "to", lambda self, *_, **__: self):
        policy = make_trainable(policy, config.model.weights, config.model.lora_rank, "memory")
    kind: Any = sharded.ShardedTrainer if config.parallel.ranks > 1 else LocalTrainer
    trainer: LocalTrainer = kind(policy, config)
    return trainer


def _rows(config: Config, batches: int) -> list[TrainRow]:
    """Distinct rows that fill micro-batches of ``loss.batch_tokens``."""
    count = batches * max(1, config.loss.batch_tokens // (PROMPT + RESPONSE))
    rng = generator("memory")

    def ids(tokens: int) -> tuple[int, ...]:
        return tuple(rng.integers(10, 2000, size=tokens).tolist())

    return [TrainRow(ids(PROMPT), ids(PROMPT), ids(RESPONSE)) for _ in range(count)]


@contextmanager
def _watched(held: Held, owner: Any, name: str, peaks: dict[str, int], phase: str) -> Iterator[None]:
    """Calls of a method are a phase; what is called within it and watched too counts for both."""
    method = getattr(owner, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        with held.peak_of(peaks, phase):
            return method(*args, **kwargs)

    with patch.object(owner, name, watched):
        yield
