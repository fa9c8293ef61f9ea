"""How fast is decoding on the CPU, against transformers' own ``generate`` in the same process?

    python benchmarks/decode.py

Same model, prompts, number of samples and length limit; one torch thread; the median of several repeats.
Prints tokens per second of both and their ratio, and what computing identical rollouts once saves an update.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

from coopt.config.load import load_config
from coopt.domains.load import load_domains
from coopt.engine.base import Sampling
from coopt.engine.hf import HFEngine
from coopt.models.bases import SCIMINI_BASE
from coopt.models.policy import load_policy
from coopt.quiet import quiet_libraries
from coopt.rng import generator
from coopt.training.adapters import make_trainable
from coopt.training.base import TrainRow
from coopt.training.trainer import LocalTrainer

PROMPTS, SAMPLES, REPEATS = 24, 8, 5


def median_seconds(work: Callable[[], int]) -> tuple[float, int]:
    """Median seconds of a piece of work and the tokens that it returned, after one warm-up."""
    work()
    times, tokens = [], 0
    for _ in range(REPEATS):
        start = time.perf_counter()
        tokens = work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), tokens


def main() -> None:
    torch.set_num_threads(1)
    quiet_libraries()
    config = load_config()
    policy = load_policy(SCIMINI_BASE, device="cpu")
    domain = load_domains(config)["physics"]
    prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in domain.items("train")[:PROMPTS]]
    limit = config.sampling.max_response_tokens
    engine = HFEngine(config.sampling.batch_rows)
    engine.sync(policy)
    pad = policy.tokenizer.pad_token_id
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])

    def ours() -> int:
        groups = engine.generate(prompts, SAMPLES, Sampling(1.0, limit), generator("bench"))
        return sum(len(y.tokens) for g in groups for y in g)

    def theirs() -> int:
        out = policy.model.generate(
            ids, attention_mask=(ids != pad).long(), do_sample=True, max_new_tokens=limit,
            num_return_sequences=SAMPLES, pad_token_id=pad, top_k=0,
        )  # fmt: skip
        return int((out[:, width:] != pad).sum())

    speeds = {}
    for name, work in (("generate", theirs), ("coopt", ours)):
        seconds, tokens = median_seconds(work)
        speeds[name] = tokens / seconds
        print(f"{name:10} {tokens:6d} tokens in {seconds:.3f} s: {speeds[name]:8,.0f} tokens/s")
    print(f"decoding: coopt / generate = {speeds['coopt'] / speeds['generate']:.2f}")

    groups = engine.generate(prompts, SAMPLES, Sampling(1.0, limit), generator("bench"))
    rows = [TrainRow(tuple(p), (*p, *p), y.tokens) for p, g in zip(prompts, groups, strict=True) for y in g]
    trainer = LocalTrainer(make_trainable(policy, "full", 8, "bench"), config)
    merged, _ = median_seconds(lambda: trainer.update(rows, len(rows)).trained_tokens)
    # The same rows made distinct by a teacher prompt of their own: nothing can be computed once.
    apart = [TrainRow((*r.student_prompt[:-1], k % 200), r.teacher_prompt, r.response) for k, r in enumerate(rows)]
    alone, _ = median_seconds(lambda: trainer.update(apart, len(apart)).trained_tokens)
    share = len(set(rows)) / len(rows)
    print(f"update: {share:.0%} of {len(rows)} rows are distinct; {merged:.3f} s merged, {alone:.3f} s one by one,"
          f" ratio {alone / merged:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
