"""Which prompts a step trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from numpy.random import Generator

from coopt.core.rng import generator
from coopt.domains.base import Domain, Item
from coopt.domains.load import train_union


class PromptOrder:
    """A student's stream of prompts: the union of the domains' training questions, shuffled anew every epoch.

    Depends on seed and student only, so every method trains on the same prompts in the same order. An epoch
    that ends inside a batch goes on with the next one: no question is left out. With ``share`` so many of its prompts
    are of ``native``: of the other side as many questions are left out, drawn once, as that takes.
    """

    def __init__(
        self,
        domains: Mapping[str, Domain],
        names: Sequence[str],
        seed: int,
        student: str,
        native: str = "",
        share: float | None = None,
    ) -> None:
        self.domains = domains
        self.key = (seed, student)
        self.union = train_union(domains, names)
        if share is not None:
            self.union = self._with_share(native, share)
        self._epoch = lru_cache(maxsize=2)(self._shuffled)

    def batch(self, step: int, prompts: int) -> list[Item]:
        """The prompts of a step (counted from 0 over the whole run)."""
        items = []
        for place in range(step * prompts, (step + 1) * prompts):
            epoch, k = divmod(place, len(self.union))
            domain, index = self.union[self._epoch(epoch)[k]]
            items.append(self.domains[domain].items("train")[index])
        return items

    def _with_share(self, native: str, share: float) -> list[tuple[str, int]]:
        own, others = [p for p in self.union if p[0] == native], [p for p in self.union if p[0] != native]
        if not own or not others:  # of one kind alone there is no share
            return self.union
        whole = min(len(own) / share, len(others) / (1 - share))  # as many questions as there are for both
        rng = generator(*self.key, "native share")
        kept = {*self._some(own, round(whole * share), rng), *self._some(others, round(whole * (1 - share)), rng)}
        return [p for p in self.union if p in kept]

    @staticmethod
    def _some(pairs: list[tuple[str, int]], count: int, rng: Generator) -> list[tuple[str, int]]:
        return [pairs[k] for k in rng.permutation(len(pairs))[:count]]

    def _shuffled(self, epoch: int) -> list[int]:
        return list(generator(*self.key, epoch, "order").permutation(len(self.union)))
