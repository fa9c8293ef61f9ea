"""The vLLM engine: one vLLM process an architecture, whose weights follow the policies that are asked for.

A policy is served in one of two ways. One on a base that it shares with others (``Policy.base``) is one of many LoRA
adapters of one engine. Any other policy's weights replace those of the engine of its architecture. After every
``sync`` the canary proves which weights are served.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from coopt.core.config.engine import EngineConfig
from coopt.lm.device import give_back_memory
from coopt.lm.engines.base import Draws, Generation, Sampling, check_room
from coopt.lm.engines.server import Answer, EngineRequest
from coopt.lm.engines.serving import Serving
from coopt.lm.policy import Policy

_serving: dict[str, Serving] = {}
"""This process's engines. A worker does many tasks, and starting vLLM takes longer than most of them."""


class VLLMEngine:
    """Generation with vLLM. Engines made in one process share its vLLM processes.

    A text does not depend on the order of the requests. On its neighbours in the batch it depends only by rounding:
    vLLM does not promise the same last digits for another batch, so a near-tie may fall otherwise.
    """

    def __init__(
        self,
        settings: EngineConfig,
        lora_rank: int = 8,
        on_batch: Callable[[int, int], None] | None = None,
        usual_length: int | None = None,
        adapters: int = 1,
    ) -> None:
        """``usual_length``: tokens of the sequences that vLLM is started for; None: the model's whole context, whose
        cache may be more than a GPU has left. Where a prompt needs more, vLLM is started again. ``adapters``: how many
        are asked at once."""
        self.settings = settings
        self.lora_rank = lora_rank
        self.usual_length = usual_length
        self.adapters = adapters
        self.on_batch = on_batch or (lambda rows, tokens: None)
        self.policy: Policy | None = None

    @property
    def serving(self) -> Serving:
        assert self.policy is not None, "sync a policy first"
        return _serving[_key(self.policy, self.settings)]

    def sync(self, policy: Policy) -> None:
        """Raises ``EngineError`` if vLLM does not start or the canary finds other weights than the policy's."""
        self.send(policy)
        self.policy = policy

    def send(self, policy: Policy) -> None:
        """Start vLLM if need be, hand the policy's weights over if they are others than it has, and prove them."""
        key = _key(policy, self.settings)
        for other, serving in _serving.items():
            if other != key:
                serving.rest()  # one at a time has the GPU
        if key not in _serving:
            self._start(policy, self.usual_length or policy.context_length)
        _serving[key].sync(policy)

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws
    ) -> list[list[Generation]]:
        policy = self.policy
        assert policy is not None, "sync a policy first"
        check_room(prompts, sampling, policy.context_length)
        seeds = draws.seeds(len(prompts), samples).tolist()
        asks = [EngineRequest(prompt, seed) for prompt, own in zip(prompts, seeds, strict=True) for seed in own]
        answers = self._answers(asks, sampling)
        self.on_batch(len(answers), sum(len(a.tokens) for a in answers))
        rows = [_generation(policy, a) for a in answers]
        return [rows[k : k + samples] for k in range(0, len(rows), samples)]

    def _answers(self, asks: Sequence[EngineRequest], sampling: Sampling) -> list[Answer]:
        policy = self.policy
        assert policy is not None
        serving = self.roomy(policy, asks, sampling)
        if not serving.holds(policy):  # another engine of this process has had it since
            serving.sync(policy)
        return serving.generate(policy, asks, sampling)

    def roomy(self, policy: Policy, asks: Sequence[EngineRequest], sampling: Sampling) -> Serving:
        """The policy's engine, with room for what is asked. Raises ``EngineError`` as ``sync`` does."""
        serving = _serving[_key(policy, self.settings)]
        needed = max((len(ask.prompt) for ask in asks), default=0) + sampling.max_tokens
        if needed > serving.length:
            serving = self._start(policy, max(needed, 2 * serving.length))
            serving.sync(policy)  # what was proved was the one before
        return serving

    def _start(self, policy: Policy, length: int) -> Serving:
        """vLLM for the policy, for sequences of ``length`` tokens, in place of the one there is."""
        key = _key(policy, self.settings)
        if key in _serving:
            _serving.pop(key).close()
        give_back_memory(policy.device)
        length = min(length, policy.context_length)
        _serving[key] = Serving(policy, self.settings, self.lora_rank, length, self.adapters)
        return _serving[key]

    def rest(self) -> None:
        rest_engines()

    def forget(self) -> None:
        self.policy = None


def rest_engines() -> None:
    """All of this process's: a tutor of another architecture has one that nobody else puts to sleep."""
    for serving in _serving.values():
        serving.rest()


def close_engines() -> None:
    """End this process's vLLM processes."""
    while _serving:
        _serving.popitem()[1].close()


def _generation(policy: Policy, answer: Answer) -> Generation:
    tokens = tuple(answer.tokens)
    finished = bool(tokens) and tokens[-1] in policy.stop_ids()
    return Generation(tokens, policy.response(tokens), finished, tuple(answer.logprobs))


def _key(policy: Policy, settings: EngineConfig) -> str:
    """What a policy must have in common with an engine to be served by it."""
    architecture = policy.causal_lm.config.to_dict()
    for said in ("_name_or_path", "transformers_version", "dtype"):
        architecture.pop(said, None)
    base = id(policy.base) if policy.base is not None else None  # ``Serving`` keeps the base, so the id stays taken
    return json.dumps(
        [architecture, str(policy.compute_dtype), str(policy.device), base, settings.model_dump()],
        sort_keys=True,
        default=str,
    )
