"""Eight students as adapters on one base: memory against one, and an update of each in turn."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from coopt.lm.policy import Policy
from coopt.lm.shared import shared_copy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer

STUDENTS = 8


def measure(size: Size) -> Found:
    found = Found()
    shape = size.shapes[-1]
    base = size.policy(shape)
    base.model.requires_grad_(False)
    base = replace(base, base=base.model)
    config = size.config("model.weights=lora", "parallel.activation_checkpointing=true")
    rows = size.rows(size.of(32, 2), 64, 128, size.of(256, 8))
    before = held(size)
    trainers: list[LocalTrainer] = []
    one = 0.0
    for k in range(STUDENTS):
        trainers.append(LocalTrainer(student(base, config.model.lora_rank, k), config))
        trainers[k].update(rows, len(rows))
        one = one or held(size)
    found.figures[f"{shape}: GiB of the base"] = before / 2**30
    found.figures[f"{shape}: GiB of one student more"] = (one - before) / 2**30
    bound = 1.25 if not size.dry else STUDENTS  # a tiny base weighs no more than its adapters
    found.most(f"{shape}: memory of {STUDENTS} students over one", held(size) / one, bound)
    start = time.perf_counter()
    for trainer in trainers:
        trainer.update(rows, len(rows))
    if size.device.type == "cuda":
        torch.cuda.synchronize()
    found.figures[f"{shape}: s of an update, one student after another"] = (time.perf_counter() - start) / STUDENTS
    return found


def student(base: Policy, rank: int, k: int) -> Policy:
    return make_trainable(replace(base, model=shared_copy(base.model)), "lora", rank, k)


def held(size: Size) -> float:
    """Bytes: on a GPU what is allocated; on a CPU, where the dry run proves nothing of it, of all tensors."""
    if size.device.type == "cuda":
        return float(torch.cuda.memory_allocated())
    import gc

    tensors = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in gc.get_objects() if _is_tensor(x)}
    return float(sum(tensors.values()))


def _is_tensor(x: object) -> bool:
    try:
        return isinstance(x, torch.Tensor) and x.device.type == "cpu"
    except Exception:  # objects of other libraries that answer anything
        return False
