"""Decoding by engine ``hf``: the texts of ``generate``, the trainer's log-probs, and its speed by batch."""

from __future__ import annotations

import time

import torch

from benchmarks.gpu.found import Found, begin_peak, peak_gib
from benchmarks.gpu.models import Size
from coopt.core.rng import generator
from coopt.domains.scimini.wording import SCIMINI
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.trainer import LocalTrainer

QUESTIONS = ("number of tin?", "mass of iron and mass of zinc?", "period of coil and power of lens?", "what is it?")


def measure(size: Size) -> Found:
    found = Found()
    device = size.device.type
    base = load_policy(SCIMINI_BASE, device=device)
    prompts = [base.prompt_ids(SCIMINI, q) for q in QUESTIONS]
    found.least("share of greedy texts that equal generate, float32", _equal(base, prompts), 0.95)
    for dtype, bound in (("float32", 1e-4), ("bfloat16", 0.03)):
        policy = load_policy(SCIMINI_BASE, device=device, dtype=dtype)
        found.most(f"log-probs, engine less trainer, mean: {dtype}", _apart(size, policy, prompts, dtype), bound)
    large = size.policy(size.shapes[0])
    for rows in (64, 256, 1024):
        rows = size.of(rows, rows // 64)
        begin_peak(size.device)
        speed = _speed(large, rows, size.of(128, 4))
        found.figures[f"tokens/s, {size.shapes[0]}, bfloat16 on float32 weights, {rows} rows"] = speed
        found.figures[f"peak GiB, {rows} rows"] = peak_gib(size.device)
    rows = size.of(256, 4)
    speed = _speed(large.copied(size.device, large.compute_dtype), rows, size.of(128, 4))
    found.figures[f"tokens/s, {size.shapes[0]}, weights in bfloat16, {rows} rows"] = speed
    return found


def _equal(policy: Policy, prompts: list[list[int]]) -> float:
    engine = HFEngine(64)
    engine.sync(policy)
    ours = engine.generate(prompts, 1, Sampling(0, 20), Draws(generator(0)))
    same = 0
    for ids, (answer,) in zip(prompts, ours, strict=True):
        tokens = torch.tensor([ids], device=policy.device)
        theirs = policy.model.generate(tokens, do_sample=False, max_new_tokens=20, pad_token_id=0)
        same += answer.tokens == tuple(theirs[0, len(ids) :].tolist())
    return same / len(prompts)


def _apart(size: Size, policy: Policy, prompts: list[list[int]], dtype: str) -> float:
    engine = HFEngine(64, logprobs=True)
    engine.sync(policy)
    groups = engine.generate(prompts, 8, Sampling(1.0, 20), Draws(generator(1)))
    trainer = LocalTrainer(make_trainable(policy, "full", 0, "acceptance"), size.config(dtype=dtype))
    drawn = [(tuple(p), y) for p, ys in zip(prompts, groups, strict=True) for y in ys]
    found = trainer.logprobs([(p, y.tokens) for p, y in drawn])
    theirs = [x for _, y in drawn for x in y.logprobs]
    return abs(sum(theirs) - sum(x for row in found for x in row)) / len(theirs)


def _speed(policy: Policy, rows: int, tokens: int) -> float:
    """Tokens a second, of the second of two calls. Prompts differ, so no two rows are one."""
    engine = HFEngine(rows)
    engine.sync(policy)
    prompts = [[20 + k % 1000, *range(30, 60)] for k in range(rows)]
    written, seconds = 0, 1.0
    for _ in range(2):
        start = time.perf_counter()
        groups = engine.generate(prompts, 1, Sampling(1.0, tokens), Draws(generator(2)))
        written, seconds = sum(len(y.tokens) for g in groups for y in g), time.perf_counter() - start
    return written / seconds
