"""An update with the transformer blocks compiled, against without: the same loss, and what it saves."""

from __future__ import annotations

import time

import torch

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.recompute import transformer_blocks
from coopt.lm.training.trainer import LocalTrainer


def measure(size: Size) -> Found:
    found = Found()
    backend = "aot_eager" if size.dry else "inductor"  # which takes two minutes on a CPU
    shape = size.shapes[0]
    rows = size.rows(size.of(64, 2), 128, 256, size.of(512, 8))
    losses, seconds = {}, {}
    for compiled in (False, True):
        torch.manual_seed(0)
        policy = make_trainable(size.policy(shape), "full", 0, "acceptance")
        trainer = LocalTrainer(policy, size.config(f"loss.batch_tokens={size.of(16384, 512)}"))
        if compiled:
            for block in transformer_blocks(policy):
                block.compile(backend=backend, dynamic=True)
        times = []
        for k in range(3):
            start = time.perf_counter()
            stats = trainer.update(rows, len(rows))
            times.append(time.perf_counter() - start)
            if not k:
                losses[compiled] = stats.loss
        seconds[compiled] = min(times[1:])
        found.figures[f"{shape}: s of the first update, {'compiled' if compiled else 'plain'}"] = times[0]
        found.figures[f"{shape}: s of an update, {'compiled' if compiled else 'plain'}"] = seconds[compiled]
    found.figures["backend"] = backend
    found.figures["plain over compiled"] = seconds[False] / seconds[True]
    found.most("loss, compiled less plain, relative", abs(losses[True] / losses[False] - 1), 2e-2)
    return found
