"""vLLM beside the trainer: hand-over of weights, sleep and wake, speed; where it is installed."""

from __future__ import annotations

import importlib.util
import time

import torch

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size


def measure(size: Size) -> Found:
    if not importlib.util.find_spec("vllm"):
        return Found(left_out=True, why="vllm is not here")
    from coopt.core.rng import generator
    from coopt.lm.engines.base import Draws, Sampling
    from coopt.lm.engines.vllm import VLLMEngine, close_engines
    from coopt.lm.training.trainer import make_optimizer

    found = Found()
    policy = size.policy(size.shapes[0], dtype="float32" if size.dry else "bfloat16")
    engine = VLLMEngine(size.config("engine.kind=vllm").engine, usual_length=2048)
    optimizer = make_optimizer(policy, size.config("optimizer.lr=1e-3").optimizer)
    prompts = [[20 + k, *range(30, 60)] for k in range(size.of(256, 4))]
    start = time.perf_counter()
    engine.sync(policy)
    found.figures["s until the first canary"] = time.perf_counter() - start
    swaps, cycles = engine.serving.swaps, 3
    for k in range(cycles):
        for parameter in policy.trainable().values():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()  # as the trainer's: what changed must be seen without being told
        optimizer.zero_grad(set_to_none=True)
        engine.rest()
        start = time.perf_counter()
        engine.sync(policy)  # the canary raises if the weights are not the policy's
        found.figures[f"s of a hand-over with wake and canary, {k + 1}"] = time.perf_counter() - start
    found.least("hand-overs after sleep that the canary proved", engine.serving.swaps - swaps, cycles)
    start = time.perf_counter()
    groups = engine.generate(prompts, 1, Sampling(1.0, size.of(256, 4)), Draws(generator(0)))
    written = sum(len(y.tokens) for g in groups for y in g)
    found.figures["tokens/s"] = written / (time.perf_counter() - start)
    close_engines()
    return found
