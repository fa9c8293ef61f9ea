"""vLLM's place beside the trainer, without vLLM: the sequences it has room for, when it sleeps, what it is told."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, EngineError
from coopt.core.rng import generator
from coopt.core.temporary import own_folder
from coopt.lm.engines import process, serving, vllm
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.make import check_engine, make_engine
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.vllm import VLLMEngine, close_engines
from coopt.lm.engines.weights import Compared
from coopt.lm.policy import Policy, merged_state
from coopt.lm.training.adapters import make_trainable


class Process:
    """A server that writes token 7 and nothing else."""

    started: ClassVar[list[Process]] = []
    differ: ClassVar[list[str]] = []

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
        return Compared(1.0, list(self.differ)) if method == "compare" else None

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Process]]:
    monkeypatch.setattr(serving, "ServerProcess", Process)
    monkeypatch.setattr(serving.Canary, "check", lambda *_, **__: None)
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
    for each in started:
        assert sorted(each.calls[:3]) == ["compare", "generate", "generate"], "proved before it writes"


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


def test_torch_lets_go_of_the_gpu_before_vllm_starts_and_before_it_wakes(
    shipped: Policy, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What torch keeps for later is not free for another process."""
    seen: list[tuple[int, list[str]]] = []

    def give_back(device: object) -> None:
        seen.append((len(started), list(started[0].calls) if started else []))

    monkeypatch.setattr(vllm, "give_back_memory", give_back)
    monkeypatch.setattr(serving, "give_back_memory", give_back)
    engine = engine_of()
    engine.sync(shipped)
    assert seen == [(0, [])]
    (held,) = vllm._serving.values()
    monkeypatch.setattr(held, "_on_gpu", True)
    engine.rest()
    engine.sync(shipped)
    asleep = seen[1][1]
    assert asleep[-1] == "sleep"
    assert started[0].calls[len(asleep)] == "wake"


def test_an_adapter_that_vllm_is_to_have_merged_is_merged_on_the_cpu(
    shipped: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU has no room for the model once more beside an engine that is awake."""
    policy = make_trainable(copy.deepcopy(shipped), "lora", 4, "t")
    wanted, copies = merged_state(policy), []
    copied = Policy.copied

    def spied(self: Policy, device: torch.device, dtype: torch.dtype) -> Policy:
        copies.append((device.type, dtype))
        return copied(self, device, dtype)

    monkeypatch.setattr(Policy, "copied", spied)
    monkeypatch.setattr(Policy, "device", torch.device("cuda"))
    found = merged_state(policy)
    assert copies == [("cpu", torch.float32)]
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_vllm_compiles_once_for_all_its_folders(shipped: Policy, started: list[Process]) -> None:
    """Its compile cache is found by the model's path among others, so that is the same in every folder."""
    engine_of().sync(shipped)
    assert started[0].options["model"] == "./weights"


def test_the_engine_knows_nothing_of_the_ranks(monkeypatch: pytest.MonkeyPatch, shipped: Policy) -> None:
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("RANK", "1")
    found = process._environment(load_config().engine, shipped.device)
    assert not {"RANK", "TORCHELASTIC_USE_AGENT_STORE"} & set(found)


def test_what_vllm_compiles_outlives_the_command(monkeypatch: pytest.MonkeyPatch, shipped: Policy) -> None:
    """A worker's folder for what is compiled goes with it; somebody's own stays."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(own_folder() / "inductor"))
    found = process._environment(load_config().engine, shipped.device)
    assert "TORCHINDUCTOR_CACHE_DIR" not in found
    assert found["VLLM_HOST_IP"] == "127.0.0.1"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/scratch/compiled")
    assert process._environment(load_config().engine, shipped.device)["TORCHINDUCTOR_CACHE_DIR"] == "/scratch/compiled"


def test_float32_is_not_rounded_in_tritons_kernels(monkeypatch: pytest.MonkeyPatch, shipped: Policy) -> None:
    """TF32 has 10 bits: a float32 policy would fail its own canary."""
    monkeypatch.setenv("TRITON_F32_DEFAULT", "tf32")
    assert process._environment(load_config().engine, shipped.device)["TRITON_F32_DEFAULT"] == "ieee"


def test_ranks_and_tensor_parallel_do_not_go_together() -> None:
    """Each rank's vLLM would take all cards."""
    config = load_config(settings=["engine.tensor_parallel=2", "parallel.ranks=2"])
    with pytest.raises(ConfigError, match=r"engine\.tensor_parallel=1"):
        check_engine(config)


def test_a_tensor_that_is_not_what_was_sent_stops_the_run(
    shipped: Policy, started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of()
    engine.sync(shipped)
    monkeypatch.setattr(Process, "differ", ["model.norm.weight", "lm_head.weight"])
    with pytest.raises(EngineError, match=r"2 of its tensors differ, model\.norm\.weight among them"):
        engine.sync(shipped)
    assert started[0].calls[-1] == "compare", "also of weights that were held already: sleep may have damaged them"
