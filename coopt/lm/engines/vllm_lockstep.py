"""Rollouts, critiques and answers of several students in one call of vLLM, each prompt with its student's adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from coopt.core.config.engine import EngineConfig
from coopt.core.rendezvous import Rendezvous
from coopt.lm.engines.base import Sampling
from coopt.lm.engines.lockstep import GENERATE
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.vllm import VLLMEngine, rest_engines
from coopt.lm.policy import Policy

T = TypeVar("T")


class Wanted(NamedTuple):
    """What a student asks of vLLM. ``prove``: its weights are to be sent, if they changed, and proved."""

    policy: Policy
    asks: Sequence[EngineRequest]
    sampling: Sampling
    engine: LockstepVLLMEngine
    prove: bool


class LockstepVLLMEngine(VLLMEngine):
    """As ``VLLMEngine``, of a thread that meets others. Weights are sent and proved when all have asked: until then
    another student may be learning on the GPU."""

    def __init__(
        self,
        together: Rendezvous,
        settings: EngineConfig,
        lora_rank: int,
        on_batch: Callable[[int, int], None] | None,
        usual_length: int | None,
    ) -> None:
        super().__init__(settings, lora_rank, on_batch, usual_length, together.parties)
        self.together = together
        self._prove = False

    def sync(self, policy: Policy) -> None:
        self.policy, self._prove = policy, True

    def _answers(self, asks: Sequence[EngineRequest], sampling: Sampling) -> list[Answer]:
        policy, prove = self.policy, self._prove
        assert policy is not None
        # Only what is drawn alike, and by adapters of one base, is one call.
        apart = policy.base or policy.model, sampling
        answers: list[Answer] = self.together.call(GENERATE, Wanted(policy, asks, sampling, self, prove), apart=apart)
        self._prove = False
        return answers


def generate_together(calls: Sequence[Wanted]) -> list[list[Answer]]:
    """The answers to calls that have base and sampling in common."""
    if calls[0].policy.base is None:  # weights of its own, in an engine's only place for such
        return [answers for call in calls for answers in _in_one_call([call])]
    return _in_one_call(calls)


def _in_one_call(calls: Sequence[Wanted]) -> list[list[Answer]]:
    engine, sampling = calls[0].engine, calls[0].sampling
    for call in calls:
        if call.prove:
            engine.send(call.policy)
    serving = engine.roomy(calls[0].policy, [ask for c in calls for ask in c.asks], sampling)
    for call in calls:
        if not serving.holds(call.policy):
            serving.sync(call.policy)
    answers = iter(serving.generate_for([(c.policy, ask) for c in calls for ask in c.asks], sampling))
    return [list(islice(answers, len(c.asks))) for c in calls]


def resting(answer: Callable[[Sequence[T]], Sequence[Any]]) -> Callable[[Sequence[T]], Sequence[Any]]:
    """As ``answer``, with the GPU's memory to itself: of students that are not at the same place, one learns while
    another has just written."""

    def alone(calls: Sequence[T]) -> Sequence[Any]:
        rest_engines()
        return answer(calls)

    return alone
