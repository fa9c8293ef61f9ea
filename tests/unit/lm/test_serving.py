"""vLLM's place beside the trainer, without vLLM: the sequences it has room for, when it sleeps, what it is told."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.core.rng import generator
from coopt.lm.engines import process, serving, vllm
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.make import check_engine, make_engine
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.vllm import VLLMEngine, close_engines
from coopt.lm.policy import Policy


class Process:
    """A server that writes token 7 and nothing else."""

    started: ClassVar[list[Process]] = []

    def __init__(self, options: dict[str, Any], *_: Any) -> None:
        self.options = options
        self.calls: list[str] = []
        self.closed = False
        self.started.append(self)

    def call(self, method: str, *arguments: Any) -> Any:
        self.calls.append(method)
        if method == "generate":
            asks: Sequence[EngineRequest] = arguments[0]
            return [Answer([7], [0.0], []) for _ in asks]
        return None

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Process]]:
    monkeypatch.setattr(serving, "ServerProcess", Process)
    monkeypatch.setattr(serving.Canary, "check", lambda *_: None)
    monkeypatch.setattr(vllm, "_serving", {})
    Process.started = []
    yield Process.started
    close_engines()


def engine_of(*settings: str) -> VLLMEngine:
    engine = make_engine(load_config(settings=["engine.kind=vllm", *settings]))
    assert isinstance(engine, VLLMEngine)
    return engine


def generate(engine: VLLMEngine, prompt: Sequence[int], tokens: int) -> None:
    engine.generate([prompt], 1, Sampling(1.0, tokens), Draws(generator(0)))


def test_vllm_is_started_for_what_is_usual_and_again_for_what_is_not(shipped: Policy, started: list[Process]) -> None:
    """The whole context of a model may need more cache than is left of a GPU."""
    policy = replace(shipped, model=copy.deepcopy(shipped.model))
    context = 100_000
    policy.causal_lm.config.max_position_embeddings = context
    engine = engine_of("sampling.max_response_tokens=100", "sampling.max_feedback_tokens=50")
    engine.sync(policy)
    usual = started[0].options["max_model_len"]
    assert usual == 2048 + 2 * 100 + 50
    generate(engine, [1] * (usual - 10), 10)
    assert len(started) == 1
    generate(engine, [1] * (usual - 10), 11)
    assert [p.closed for p in started] == [True, False]
    assert started[1].options["max_model_len"] == 2 * usual
    generate(engine, [1] * 50_000, 10)
    assert started[2].options["max_model_len"] == 50_010
    generate(engine, [1] * 99_000, 10)
    assert started[3].options["max_model_len"] == context


def test_every_engine_of_the_process_sleeps_while_the_student_learns(
    shipped: Policy, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two architectures, two engines: the tutor's was asked last but one, and nobody else would put it to sleep."""
    other = replace(shipped, model=copy.deepcopy(shipped.model))
    other.causal_lm.config.rms_norm_eps *= 2
    tutee, tutor = engine_of(), engine_of()
    for engine, policy in ((tutor, other), (tutee, shipped)):
        engine.sync(policy)
    for each in vllm._serving.values():
        monkeypatch.setattr(each, "_on_gpu", True)
        monkeypatch.setattr(each, "_awake", True)
    tutee.rest()
    assert [p.calls[-1] for p in started] == ["sleep", "sleep"]


def test_vllm_compiles_once_for_all_its_folders(shipped: Policy, started: list[Process]) -> None:
    """Its compile cache is found by the model's path among others, so that is the same in every folder."""
    engine_of().sync(shipped)
    assert started[0].options["model"] == "./weights"


def test_the_engine_knows_nothing_of_the_ranks(monkeypatch: pytest.MonkeyPatch, shipped: Policy) -> None:
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("RANK", "1")
    found = process._environment(load_config().engine, shipped.device)
    assert not {"RANK", "TORCHELASTIC_USE_AGENT_STORE"} & set(found)


def test_ranks_and_tensor_parallel_do_not_go_together() -> None:
    """Each rank's vLLM would take all cards."""
    config = load_config(settings=["engine.tensor_parallel=2", "parallel.ranks=2"])
    with pytest.raises(ConfigError, match=r"engine\.tensor_parallel=1"):
        check_engine(config)
