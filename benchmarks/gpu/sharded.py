"""The sharded trainer as one rank (nccl on a GPU, gloo on a CPU): the plain trainer's losses, checkpoint and resume."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from coopt.core import store
from coopt.core.config.schema import Config
from coopt.lm import ranks
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import Trainer, TrainRow
from coopt.lm.training.trainer import LocalTrainer

STEPS = 4
CASES: dict[str, tuple[str, ...]] = {
    "full": (),
    "offloaded": ("parallel.cpu_offload=true",),
    "recomputed": ("parallel.activation_checkpointing=true",),
}
BOUNDS = {"float32": 1e-4, "bfloat16": 2e-2}
"""Of losses, relative: bfloat16 rounds in another order where blocks are gathered in it."""


def measure(size: Size) -> Found:
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen.json"
        ranks.launch_ranks(1, as_rank, (size, folder, str(seen)))
        told = store.read_json(seen)
    for dtype in BOUNDS:
        expected = losses(LocalTrainer(policy(size, dtype), config(size, dtype)), rows(size), 0, STEPS)
        for case in CASES:
            off = max(abs(a / b - 1) for a, b in zip(told[f"{case} {dtype}"], expected, strict=True))
            found.most(f"losses of {STEPS} steps, sharded less plain: {case}, {dtype}", off, BOUNDS[dtype])
        off = max(abs(a - b) for a, b in zip(told[f"resumed {dtype}"], told[f"full {dtype}"][2:], strict=True))
        found.most(f"losses after a resume less without: {dtype}", off, 1e-6 if dtype == "float32" else 1e-3)
    return found


def as_rank(size: Size, folder: str, seen: str) -> None:
    """What the one rank does."""
    from coopt.lm.training.sharded import ShardedTrainer

    told: dict[str, list[float]] = {}
    for dtype in BOUNDS:
        for case, settings in CASES.items():
            made = config(size, dtype, *settings)
            trainer = ShardedTrainer(policy(size, dtype, cpu=True), made)
            checkpoint = Path(folder) / f"{case}-{dtype}"
            told[f"{case} {dtype}"] = losses(trainer, rows(size), 0, 2)
            if case == "full":
                trainer.save(checkpoint, background=True)
            told[f"{case} {dtype}"] += losses(trainer, rows(size), 2, STEPS)
            if case == "full":
                trainer.settle()
                again = ShardedTrainer(policy(size, dtype, cpu=True), made)
                again.load(checkpoint)
                told[f"resumed {dtype}"] = losses(again, rows(size), 2, STEPS)
    store.write_json(Path(seen), told)


def config(size: Size, dtype: str, *settings: str) -> Config:
    return size.config("teacher.rate=0.1", "loss.batch_tokens=2048", *settings, dtype=dtype)


def policy(size: Size, dtype: str, *, cpu: bool = False) -> Policy:
    """The same start for both trainers; the sharded one takes it on the CPU."""
    made = size.policy(size.shapes[0], dtype=dtype, device=None)
    if cpu:
        made.model.to("cpu")
    return make_trainable(made, "full", 0, "acceptance")


def rows(size: Size) -> list[TrainRow]:
    return size.rows(8 * STEPS, 24, 48, size.of(64, 8))


def losses(trainer: Trainer, rows: list[TrainRow], first: int, last: int) -> list[float]:
    return [trainer.update(rows[8 * k : 8 * k + 8], 8).loss for k in range(first, last)]
