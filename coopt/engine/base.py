"""What a rollout engine is: prompts in, sampled responses out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from coopt.models.policy import Policy


class Sampling(NamedTuple):
    """How to draw. Temperature 0 is greedy."""

    temperature: float
    max_tokens: int
    top_p: float = 1.0


class Generation(NamedTuple):
    """One response. ``tokens`` includes the end token if the model wrote one (``finished``)."""

    tokens: tuple[int, ...]
    text: str
    finished: bool


class Engine(Protocol):
    """Generates for one policy at a time. ``coopt.engine.hf.HFEngine`` is always there."""

    def sync(self, policy: Policy) -> None:
        """Serve this policy's present weights from now on. Raises if it cannot prove that it does."""
        ...

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, rng: np.random.Generator
    ) -> list[list[Generation]]:
        """``samples`` responses to each prompt (token ids), in order.

        All randomness comes from ``rng``, drawn as arrays whose first axis is the prompts, and what a prompt gets
        does not depend on how rows are batched.
        """
        ...
