"""The canary: after every refresh an engine proves that it serves the policy's present weights.

A prompt and the greedy tokens after it are read by the engine and by the policy's own forward. Two things are asked:
their log-probs agree within a tolerance, and what changed in the policy since the last check changed in the engine
too. The second catches a stale engine even after a step so small that old and new agree within the tolerance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from coopt.core.errors import EngineError
from coopt.lm.policy import Policy
from coopt.lm.templates import render

CANARY_TOKENS = 8  # written after the prompt: decoding and its cache are tried too
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.5}
PROVEN = {"float32": 1e-3, "bfloat16": 2.0}
"""Where the engine's tensors are known to be the policy's: what is left to find is an engine that computes nonsense. In
bfloat16 two right ways of computing were seen to differ by 0.4 on a model of 135M parameters."""
_TEXT = "A canary in a coal mine sings as long as the air is good: 1 + 2 = 3, H2O boils at 100 C."
_VISIBLE = 4.0  # a change this many times larger than what engine and policy differ by is no rounding
_ROUNDING = 1e-6


class Song(NamedTuple):
    """What the engine says of the canary: log-probs of the prompt's tokens after the first, then the tokens that it
    wrote (greedy) with theirs."""

    prompt: list[float]
    tokens: list[int]
    written: list[float]


def canary_prompt(policy: Policy) -> list[int]:
    """The canary's token ids: some text in the chat template, half of the model's context at most."""
    message = [{"role": "user", "content": _TEXT}]
    text = render(policy.tokenizer, message)
    ids = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    return list(ids)[: policy.context_length // 2]


class Canary:
    """Checks one engine, sync after sync."""

    def __init__(self, dtype: str, tolerance: float | None = None) -> None:
        """``tolerance``: in place of the usual one of ``dtype``."""
        self.dtype = dtype
        self.tolerance = tolerance
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        """Log-probs of the prompt at the last check: the policy's and the engine's."""

    def check(self, policy: Policy, song: Song, *, proven: bool = False) -> float:
        """The largest difference of a log-prob. ``proven``: the engine's tensors have been compared with the policy's.
        Raises ``EngineError`` if the engine is stale."""
        allowed = self.tolerance or (PROVEN if proven else TOLERANCE)[self.dtype]
        prompt = canary_prompt(policy)
        own = token_logprobs(policy, [*prompt, *song.tokens])
        heard = np.array([*song.prompt, *song.written])
        difference = float(np.abs(own - heard).max())
        if not difference <= allowed:  # a NaN is no proof
            raise EngineError(stale(f"log-probs of the canary differ by {difference:.3g}, allowed {allowed:g}"))
        now = own[: len(song.prompt)], heard[: len(song.prompt)]
        if self._last is not None and len(self._last[0]) == len(now[0]):
            _followed(*self._last, *now)
        self._last = now
        return difference


def _followed(policy_before: np.ndarray, engine_before: np.ndarray, policy: np.ndarray, engine: np.ndarray) -> None:
    """The engine went along at least half of the way that the policy went, if that can be told from rounding."""
    moved = policy - policy_before
    rounding = max(_rms(engine_before - policy_before), _ROUNDING)
    if _rms(moved) > _VISIBLE * rounding and (engine - engine_before) @ moved < 0.5 * moved @ moved:
        raise EngineError(stale("the policy changed since the last check and the engine did not"))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def stale(why: str) -> str:
    """What is said when an engine is found out."""
    return (
        f"the vllm engine does not serve the policy's present weights ({why}). Nothing was generated with them. Run the"
        " same command again; if this persists, use --engine hf and another --out."
    )


@torch.no_grad()
def token_logprobs(policy: Policy, ids: list[int]) -> np.ndarray:
    """Log-probability of every token after the first under the policy's own forward, [len(ids) - 1] float64."""
    tokens = torch.tensor([ids], device=policy.device)
    with policy.autocast():
        logits = policy.model(input_ids=tokens, use_cache=False).logits[0, :-1]
    logprobs = logits.float().log_softmax(-1).gather(-1, tokens[0, 1:, None]).squeeze(-1)
    return np.array(logprobs.tolist())
