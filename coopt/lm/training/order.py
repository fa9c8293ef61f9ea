"""Which prompts a step trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from coopt.core.rng import generator
from coopt.domains.base import Domain, Item
from coopt.domains.load import train_union


class PromptOrder:
    """A student's stream of prompts: the union of the domains' training questions, shuffled anew every epoch.

    Depends on seed and student only, so every method trains on the same prompts in the same order. An epoch
    that ends inside a batch goes on with the next one: no question is left out.
    """

    def __init__(self, domains: Mapping[str, Domain], names: Sequence[str], seed: int, student: str) -> None:
        self.domains = domains
        self.union = train_union(domains, names)
        self.key = (seed, student)
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def batch(self, step: int, prompts: int) -> list[Item]:
        """The prompts of a step (counted from 0 over the whole run)."""
        items = []
        for place in range(step * prompts, (step + 1) * prompts):
            epoch, k = divmod(place, len(self.union))
            domain, index = self.union[self._epoch(epoch)[k]]
            items.append(self.domains[domain].items("train")[index])
        return items

    def _shuffled(self, epoch: int) -> list[int]:
        return list(generator(*self.key, epoch, "order").permutation(len(self.union)))
