"""Real vLLM on the CPU: stale weights are refused, adapters share a base, and a whole bench runs on it."""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import EngineError, KilledError
from coopt.core.rng import generator
from coopt.domains.scimini.wording import SCIMINI
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.make import make_engine
from coopt.lm.engines.process import ServerProcess
from coopt.lm.engines.vllm import VLLMEngine, _serving, close_engines
from coopt.lm.lockstep import meeting
from coopt.lm.policy import Policy
from coopt.lm.shared import load_student, shared_base
from coopt.lm.training.adapters import make_trainable
from tests.integration.conftest import Coopt, tables
from tests.integration.test_engines import plain_greedy

pytestmark = [pytest.mark.heavy, pytest.mark.slow, pytest.mark.timeout(1200)]
SHORT = ("bench", "--smoke", "--engine", "vllm", "--method", "opcod", "--workers", "1", "--set", "gate.kind=always",
         "--set", "rounds.rounds=1", "--set", "break_rate.questions=0", "--set", "data.validation=4",
         "--set", "data.test=4")  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[VLLMEngine]:
    yield VLLMEngine(load_config(settings=["engine.kind=vllm"]).engine)
    close_engines()


def greedy(engine: VLLMEngine, policy: Policy) -> list[int]:
    prompt = policy.prompt_ids(SCIMINI, "number of tin and mass of iron?")
    ((answer,),) = engine.generate([prompt], 1, Sampling(0, 12), Draws(generator(0)))
    assert list(answer.tokens) == plain_greedy(policy, prompt, 12)
    return list(answer.tokens)


def step(policy: Policy, size: float, seed: int = 0) -> None:
    """A change of all trained weights, in place as an optimizer makes it."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in policy.trainable().values():
            parameter.add_(size * torch.randn(parameter.shape, generator=random))


@pytest.mark.parametrize("size", [1e-2, 1e-5])
def test_stale_weights_are_refused(
    engine: VLLMEngine, shipped: Policy, monkeypatch: pytest.MonkeyPatch, size: float
) -> None:
    """A refresh that is lost is an error after a large step and after one that the tolerance would forgive."""
    policy = replace(shipped, model=copy.deepcopy(shipped.model))
    engine.sync(policy)
    step(policy, size)
    call = ServerProcess.call

    def lossy(process: ServerProcess, method: str, *arguments: Any) -> Any:
        return None if method == "refresh" else call(process, method, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ServerProcess, "call", lossy)
        with pytest.raises(EngineError, match="does not serve the policy's present weights"):
            engine.sync(policy)
    step(policy, size, 1)
    engine.sync(policy)
    greedy(engine, policy)


def test_weights_that_did_not_change_are_not_sent_again(engine: VLLMEngine, shipped: Policy) -> None:
    policy = replace(shipped, model=copy.deepcopy(shipped.model))
    engine.sync(policy)
    swaps = engine.serving.swaps
    engine.sync(policy)
    greedy(engine, policy)
    assert engine.serving.swaps == swaps
    step(policy, 1e-3)
    engine.sync(policy)
    assert engine.serving.swaps == swaps + 1


def test_tutee_and_tutors_are_adapters_of_one_engine(engine: VLLMEngine) -> None:
    """Three students and the base itself, asked in turn, from one vLLM whose own weights never change."""
    shared_base.cache_clear()
    config = load_config(settings=["model.weights=lora", "model.shared_base=true", "run.device=cpu"])
    students = [make_trainable(load_student(config, SCIMINI_BASE), "lora", 8, k) for k in range(3)]
    for k, student in enumerate(students):
        step(student, 0.1, k)
    base = load_student(config, SCIMINI_BASE)
    said: list[list[int]] = []
    servings = set()
    for policy in (*students, base):
        engine.sync(policy)
        servings.add(engine.serving)
        said.append(greedy(engine, policy))
    assert len(servings) == 1
    assert len({tuple(s) for s in said}) == 4
    swaps = engine.serving.swaps
    step(students[0], 0.1, 9)  # the tutee learns, the tutors stand still
    for policy in (students[0], students[1], base):
        engine.sync(policy)
        greedy(engine, policy)
    assert engine.serving.swaps == swaps + 1


def test_students_in_lockstep_write_in_one_call_what_they_write_alone() -> None:
    """Also the base, as a tutor, beside six adapters."""
    shared_base.cache_clear()
    config = load_config(settings=["engine.kind=vllm", "model.weights=lora", "run.device=cpu"])
    students = [make_trainable(load_student(config, SCIMINI_BASE), "lora", 8, k) for k in range(6)]
    for k, student in enumerate(students):
        step(student, 0.1, k)
    policies = [*students, load_student(config, SCIMINI_BASE)]
    found: dict[int, list[int]] = {}

    def live(k: int) -> None:
        engine = make_engine(config)
        assert isinstance(engine, VLLMEngine)
        for _ in range(2):
            engine.sync(policies[k])
            found[k] = greedy(engine, policies[k])

    try:
        meeting("vllm").run([partial(live, k) for k in range(len(policies))])
        assert len({tuple(said) for said in found.values()}) == len(policies)
        (served,) = [each for each in _serving.values() if each._base is policies[0].base]
        assert served.swaps == len(policies)
    finally:
        close_engines()


def test_an_engine_that_was_killed_is_one_line(shipped: Policy) -> None:
    engine = VLLMEngine(load_config(settings=["engine.kind=vllm", "engine.max_sequences=8"]).engine)
    engine.sync(shipped)
    os.kill(engine.serving.process.pid, signal.SIGKILL)
    with pytest.raises(KilledError, match=r"vllm ended .* killed by SIGKILL\. .* run the same command again"):
        engine.sync(shipped)
    close_engines()


def test_a_killed_bench_resumes_to_the_same_tables(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt(*SHORT, "--out", "whole", timeout=1000)
    assert done.returncode == 0, done.stderr
    killed = coopt(*SHORT, "--out", "run", timeout=1000, fresh=True, COOPT_KILL_AT="step:2")
    assert killed.returncode == -signal.SIGKILL
    again = coopt(*SHORT, "--out", "run", timeout=1000, fresh=True)
    assert again.returncode == 0, again.stderr
    assert tables(tmp_path / "whole") == tables(tmp_path / "run")
    record = json.loads((tmp_path / "run/seeds/0/opcod/r1/s1.steps.jsonl").read_text().splitlines()[-1])
    assert record["importance"]["mean"] == pytest.approx(1, abs=1e-3)
    assert record["importance"]["at_cap"] == 0
    assert sum(record["outcomes"]["s2"].values()) == record["rollouts"], "feedback was written by vLLM"


def test_adapters_on_one_base_run_a_bench(coopt: Coopt, tmp_path: Path) -> None:
    done = coopt(*SHORT, "--out", "run", "--set", "model.weights=lora", "--set", "model.shared_base=true", timeout=1000)
    assert done.returncode == 0, done.stderr
    assert "lockstep: the 2 students share one base" in done.stdout
    student = tmp_path / "run/seeds/0/opcod/r1/s1/model"
    assert (student / "adapter/adapter_model.safetensors").is_file()
    assert (student / "model.safetensors").is_file()
