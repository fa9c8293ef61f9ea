"""Students in lockstep ask one vLLM in one call; here without vLLM, with it in tests/integration/test_vllm.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.rendezvous import at_once
from coopt.core.rng import generator
from coopt.driver.tasks.together import hindrance
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.engines import serving, vllm
from coopt.lm.engines.base import Draws, Sampling
from coopt.lm.engines.canary import Canary
from coopt.lm.engines.make import make_engine
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.vllm import close_engines
from coopt.lm.lockstep import meeting
from coopt.lm.policy import Policy
from coopt.lm.shared import load_student, shared_base
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.lockstep import LockstepTrainer

STUDENTS = 3


class Process:
    """A server that writes the number of the adapter that was asked, as far as it has been sent."""

    calls: ClassVar[list[tuple[str, Any]]] = []
    started: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, options: dict[str, Any], *_: Any) -> None:
        self.started.append(options)
        self.sent: set[int] = set()

    def call(self, method: str, *arguments: Any) -> Any:
        if method == "generate":
            asks: Sequence[EngineRequest] = arguments[0]
            assert {a.adapter for a in asks} <= self.sent | {0}
            self.calls.append((method, [a.adapter for a in asks]))
            return [Answer([a.adapter], [0.0], []) for a in asks]
        if method == "adapt":
            self.sent.add(arguments[0])
        self.calls.append((method, arguments))
        return None

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(serving, "ServerProcess", Process)
    monkeypatch.setattr(serving.Serving, "_song", lambda self, policy: None)
    monkeypatch.setattr(Canary, "check", lambda *_, **__: None)
    monkeypatch.setattr(vllm, "_serving", {})
    Process.calls, Process.started = [], []
    yield
    close_engines()


def made() -> tuple[Config, list[Policy]]:
    shared_base.cache_clear()
    config = load_config(settings=["engine.kind=vllm", "model.weights=lora", "run.device=cpu"])
    policies = [make_trainable(load_student(config, SCIMINI_BASE), "lora", 4, str(k)) for k in range(STUDENTS)]
    return config, policies


def write(config: Config, policy: Policy, prompts: int) -> list[int]:
    """The adapters that answered a student."""
    engine = make_engine(config)
    engine.sync(policy)
    groups = engine.generate([[1, 5, 9]] * prompts, 2, Sampling(1.0, 4), Draws(generator(0)))
    return [g.tokens[0] for group in groups for g in group]


def test_adapters_on_one_base_go_together_on_vllm() -> None:
    assert hindrance(made()[0]) == ""


def test_all_rollouts_are_one_call_each_by_its_own_adapter() -> None:
    config, policies = made()
    found: dict[int, list[int]] = {}

    def live(k: int) -> None:
        found[k] = write(config, policies[k], k + 1)

    meeting("vllm").run([partial(live, k) for k in range(STUDENTS)])
    assert found == {0: [1, 1], 1: [2] * 4, 2: [3] * 6}
    assert [asked for method, asked in Process.calls if method == "generate"] == [[1] * 2 + [2] * 4 + [3] * 6]


def test_tutors_are_asked_in_one_call_and_weights_that_stand_still_are_sent_once() -> None:
    """A tutor of two tutees is one adapter; a tutee that has learnt is a new one."""
    config, policies = made()
    base = load_student(config, SCIMINI_BASE)

    def live(k: int) -> None:
        tutors = [policies[(k + 1) % STUDENTS], base]
        for step in range(3):
            at_once([partial(write, config, tutor, 1) for tutor in tutors])
            if step == 0 and k == 0:
                write(config, policies[k], 1)
                with torch.no_grad():
                    next(iter(policies[k].trainable().values())).add_(1.0)

    meeting("vllm").run([partial(live, k) for k in range(STUDENTS)])
    calls = [asked for method, asked in Process.calls if method == "generate"]
    assert calls[0] == [1, 1, 0, 0, 2, 2, 0, 0, 3, 3, 0, 0]
    assert len(calls) == 4
    sent = [arguments[0] for method, arguments in Process.calls if method == "adapt"]
    assert sent == [1, 2, 3, 4], "only the student that learnt is sent again"


def test_there_is_room_for_an_adapter_of_every_student(monkeypatch: pytest.MonkeyPatch) -> None:
    config, policies = made()
    monkeypatch.setattr(serving, "_ADAPTERS", 1)
    found: list[list[int]] = []
    meeting("vllm").run([lambda p=policy: found.append(write(config, p, 1)) for policy in policies])  # type: ignore[misc]
    assert len(found) == STUDENTS
    assert Process.started[0]["max_loras"] == STUDENTS


def test_the_engine_sleeps_while_anybody_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One student has more to ask while the other learns: what is learnt has the GPU to itself."""
    config, policies = made()
    awake: list[bool] = []

    def live(k: int) -> None:
        trainer = LockstepTrainer(policies[k], config, together=meet)
        for served in vllm._serving.values():
            served._on_gpu = True
        for _ in range(1 + 2 * k):
            write(config, policies[k], 1)
        for served in vllm._serving.values():
            served._on_gpu = True
        make_engine(config).rest()
        trainer.update([TrainRow((1, 5, 9), (1, 5, 9, 30), (7, 8))], 1)

    def watched(kind: str, calls: Sequence[Any]) -> Sequence[Any]:
        answers = before[kind](calls)
        awake.extend(served._awake for served in vllm._serving.values())
        return answers

    meet = meeting("vllm")
    before = dict(meet.answers)
    meet.answers = {kind: answer if kind == "generate" else partial(watched, kind) for kind, answer in before.items()}
    meet.run([partial(live, k) for k in range(2)])
    assert awake
    assert not any(awake)
