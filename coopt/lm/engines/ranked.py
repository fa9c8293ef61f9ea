"""Any engine, over several ranks: each rank answers its share of the prompts, and every rank gets all answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from coopt.lm import ranks
from coopt.lm.engines.base import Engine, Generation, Sampling

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

    def generate(
        self, prompts: Sequence[Sequence[int]], samples: int, sampling: Sampling, rng: np.random.Generator
    ) -> list[list[Generation]]:
        places = range(len(prompts))
        own = places[ranks.rank() :: ranks.world()]
        share = RowsOf(rng, own, len(prompts))
        found = ranks.gather(
            ranks.caught(lambda: self.engine.generate([prompts[k] for k in own], samples, sampling, share))
        )
        answers: list[list[Generation]] = [[] for _ in prompts]
        for first, theirs in enumerate(found):
            for k, group in zip(places[first :: ranks.world()], ranks.result(theirs), strict=True):
                answers[k] = group
        return answers


class RowsOf(np.random.Generator):
    """A generator that draws for all prompts and hands out the rows of some: an engine draws arrays whose first axis
    is its prompts, so it gets for each of them what one process would have drawn."""

    def __init__(self, rng: np.random.Generator, rows: Sequence[int], total: int) -> None:
        super().__init__(rng.bit_generator)
        self.rows = list(rows)
        self.total = total

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return super().random(self._whole(size), dtype)[self.rows]

    def integers(
        self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: Any = False
    ) -> Any:
        return super().integers(low, high, self._whole(size), dtype, endpoint)[self.rows]

    def _whole(self, size: Any) -> tuple[int, ...]:
        shape = (size,) if isinstance(size, int) else tuple(size or ())
        if not shape or shape[0] != len(self.rows):
            raise TypeError(f"an engine draws arrays whose first axis is its {len(self.rows)} prompts, not {size}")
        return (self.total, *shape[1:])
