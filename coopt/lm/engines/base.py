"""What a rollout engine is: prompts in, sampled responses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from coopt.core.errors import ModelError

if TYPE_CHECKING:
    from coopt.lm.policy import Policy


FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
_Drawn = TypeVar("_Drawn", FloatArray, IntArray)


class Sampling(NamedTuple):
    """How to draw. Temperature 0 is greedy."""

    temperature: float
    max_tokens: int
    top_p: float = 1.0


class Generation(NamedTuple):
    """One response. ``tokens`` includes the end token if the model wrote one (``finished``).

    ``logprobs``: for each token its log-probability under the engine's own model at temperature 1, whatever it was
    drawn with; empty from an engine that does not give them.
    """

    tokens: tuple[int, ...]
    text: str
    finished: bool
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Draws:
    """The random numbers of one call of an engine: each prompt has its own, whatever prompts are asked beside it.

    ``rng`` draws for ``total`` prompts, of which those in ``rows`` are asked here; None: all of them.
    """

    rng: np.random.Generator
    rows: Sequence[int] | None = None
    total: int = 0

    def uniforms(self, prompts: int, samples: int, tokens: int) -> FloatArray:
        """Numbers in [0, 1), float32 [prompts, samples, tokens]."""
        return self._own(self.rng.random((self.total or prompts, samples, tokens), dtype=np.float32))

    def seeds(self, prompts: int, samples: int) -> IntArray:
        """Seeds below 2 ** 31 [prompts, samples]."""
        return self._own(self.rng.integers(2**31, size=(self.total or prompts, samples)))

    def of(self, rows: Sequence[int], total: int) -> Draws:
        """Those of some of ``total`` prompts, by their places among them."""
        among = rows if self.rows is None else [self.rows[k] for k in rows]
        return Draws(self.rng, among, self.total or total)

    def _own(self, drawn: _Drawn) -> _Drawn:
        return drawn if self.rows is None else drawn[list(self.rows)]


class Engine(Protocol):
    """Generates for one policy at a time. ``coopt.lm.engines.hf.HFEngine`` is always there."""

    def sync(self, policy: Policy) -> None:
        """Serve this policy's present weights from now on. Raises if it cannot prove that it does."""
        ...

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws
    ) -> list[list[Generation]]:
        """``samples`` responses to each prompt (token ids), in order.

        All randomness comes from ``draws``, and what a prompt gets does not depend on how rows are batched. Raises
        ``ModelError`` if a prompt leaves no room for ``sampling.max_tokens``.
        """
        ...

    def rest(self) -> None:
        """Nothing is asked until the next ``sync``: accelerator memory may be given back until then."""
        ...

    def forget(self) -> None:
        """Keep the policy alive no longer: its owner lets go of it. Nothing is asked until the next ``sync``."""
        ...


def check_room(prompts: Sequence[Sequence[int]], sampling: Sampling, room: int) -> None:
    """Refuse prompts after which ``sampling.max_tokens`` do not fit a context of ``room`` tokens."""
    longest = max(map(len, prompts), default=0)
    if longest + sampling.max_tokens > room:
        raise ModelError(
            f"a prompt of {longest} tokens and {sampling.max_tokens} new ones do not fit the model's {room}: lower"
            " sampling.max_response_tokens, or leave long rows out (coopt data check PATH --model DIR counts them)."
        )
