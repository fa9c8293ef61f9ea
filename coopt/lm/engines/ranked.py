"""Any engine, over several ranks: each rank answers its share of the prompts, and every rank gets all answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coopt.lm import ranks
from coopt.lm.engines.base import Draws, Engine, Generation, Sampling

if TYPE_CHECKING:
    from coopt.lm.policy import Policy


def over_ranks(engine: Engine) -> Engine:
    """The engine itself in a process that has joined no others."""
    return RankedEngine(engine) if ranks.world() > 1 else engine


class RankedEngine:
    """Every rank calls it with the same arguments. What a prompt gets does not depend on the number of ranks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def sync(self, policy: Policy) -> None:
        self.engine.sync(policy)

    def rest(self) -> None:
        self.engine.rest()

    def forget(self) -> None:
        self.engine.forget()

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, draws: Draws
    ) -> list[list[Generation]]:
        places = range(len(prompts))
        own = places[ranks.rank() :: ranks.world()]
        share = draws.of(own, len(prompts))
        found = ranks.gather(
            ranks.caught(lambda: self.engine.generate([prompts[k] for k in own], samples, sampling, share))
        )
        answers: list[list[Generation]] = [[] for _ in prompts]
        for first, theirs in enumerate(found):
            for k, group in zip(places[first :: ranks.world()], ranks.result(theirs), strict=True):
                answers[k] = group
        return answers
