"""An SDPO step of real shapes: seconds by part, use of the card, memory against the plan."""

from __future__ import annotations

import time

import torch

from benchmarks.gpu.found import Found, begin_peak, peak_gib
from benchmarks.gpu.models import Size
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.memory import GIB, Placement, memory_parts, peaks
from coopt.driver.plan.shape import Shape, shape_of
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

PROMPT, CONTEXT = 128, 700
"""Tokens of a question, and of what the teacher reads before a response: question, demonstration, closing."""
STEPS = 2
"""That are measured, after one that is not."""


def measure(size: Size) -> Found:
    found = Found()
    ceiling = matmul_flops(size)
    found.figures["bfloat16 products of 8,192 x 8,192, TFLOP/s"] = ceiling / 1e12
    for shape in size.shapes:
        _one(size, shape, ceiling, found)
    return found


def _one(size: Size, shape: str, ceiling: float, found: Found) -> None:
    prompts, rollouts, tokens = size.of(32, 2), size.of(8, 2), size.of(512, 8)
    config = size.config(
        f"rounds.prompts={prompts}", f"rounds.rollouts={rollouts}", f"sampling.max_response_tokens={tokens}",
        f"loss.batch_tokens={size.of(16384, 256)}", f"sampling.batch_rows={prompts * rollouts}", "teacher.kind=ema",
        "parallel.activation_checkpointing=true",
    )  # fmt: skip
    begin_peak(size.device)
    policy = make_trainable(size.policy(shape), "full", 0, "acceptance")
    trainer, engine = LocalTrainer(policy, config), HFEngine(config.sampling.batch_rows)
    questions = [r.student_prompt for r in size.rows(prompts, size.of(PROMPT, 8), 1, 1)]
    contexts = [r.teacher_prompt for r in size.rows(prompts * rollouts, 1, size.of(CONTEXT, 12), 1)]
    parts = {"rollout": 0.0, "teacher": 0.0, "student": 0.0}
    rows: list[TrainRow] = []
    for k in range(1 + STEPS):
        start = time.perf_counter()
        engine.sync(trainer.serving())
        groups = engine.generate(questions, rollouts, Sampling(1.0, tokens), Draws(generator("acceptance", k)))
        rolled = time.perf_counter() - start
        written = [(q, y.tokens) for q, ys in zip(questions, groups, strict=True) for y in ys]
        rows = [TrainRow(q, c, y) for (q, y), c in zip(written, contexts, strict=True)]
        stats = trainer.update(rows, len(rows))
        if k:
            parts = {p: parts[p] + s / STEPS for p, s in {"rollout": rolled, **stats.seconds}.items()}
    sizes = shape_of(size.tree(shape), shape)
    flops = work(sizes, rows)
    seconds = sum(parts.values())
    for part, spent in parts.items():
        found.figures[f"{shape}: {part}, s"] = spent
    found.figures[f"{shape}: tokens/s of rollouts"] = sum(len(r.response) for r in rows) / parts["rollout"]
    found.figures[f"{shape}: tokens/s of the step"] = sum(len(r.response) for r in rows) / seconds
    found.figures[f"{shape}: model FLOP use of the update"] = flops / (parts["teacher"] + parts["student"]) / ceiling
    found.least(f"{shape}: loss is finite", float(stats.loss == stats.loss), 1)
    kept = sum(p.grad is not None for p in policy.model.parameters())
    found.most(f"{shape}: gradients kept after an update", kept, 0)
    _memory(size, config, sizes, found)


def _memory(size: Size, config: Config, sizes: Shape, found: Found) -> None:
    """The peak against the plan's. The plan counts a tutor in this process, which a step of SDPO has not."""
    longest = size.of(CONTEXT, 12)
    made = memory_parts(config, sizes, Assumed(longest_prompt=longest), Placement.of(config))
    planned = max(peaks([p for p in made if p.name != "tutor"])) / GIB
    found.figures[f"{sizes.name}: planned GiB"] = planned
    found.figures[f"{sizes.name}: peak GiB"] = peak_gib(size.device)
    found.most(f"{sizes.name}: peak over plan", peak_gib(size.device) / planned, 1.1)


def work(shape: Shape, rows: list[TrainRow]) -> float:
    """Floating-point operations of an update: 2 a parameter and token forward, twice that backward, and the forward
    again (recomputed); the teacher's forward. The head reads the response alone. Attention's own products are left
    out."""
    body, head = shape.parameters - shape.head, shape.head
    student = sum(len(r.student_prompt) + len(r.response) for r in rows)
    teacher = sum(len(r.teacher_prompt) + len(r.response) for r in rows)
    read = sum(len(r.response) for r in rows)
    return 8.0 * body * student + 2.0 * body * teacher + 8.0 * head * read


def matmul_flops(size: Size) -> float:
    """What the card reaches in plain bfloat16 products."""
    n = size.of(8192, 64)
    a = torch.randn(n, n, device=size.device, dtype=torch.bfloat16)
    repeats = size.of(30, 2)
    a @ a
    if size.device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        a @ a
    if size.device.type == "cuda":
        torch.cuda.synchronize()
    return float(repeats * 2 * n**3 / (time.perf_counter() - start))
