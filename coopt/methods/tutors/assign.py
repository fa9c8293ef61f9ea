"""Which of a tutee's open tutors reads which rollout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from coopt.core.config.schema import Rule
from coopt.core.rng import generator, stable_hash
from coopt.domains.base import Item
from coopt.graph.topology import Style


class OpenTutor(NamedTuple):
    """A tutor whose edge is open in a round. ``round``: after which its weights are taken; ``domains``: where it may
    speak; ``gap``: None where none was measured; ``style``: empty, as the run says; ``reviewers``: who may judge it."""

    name: str
    round: int
    domains: tuple[str, ...]
    gap: float | None = None
    style: Style | Literal[""] = ""
    reviewers: tuple[str, ...] = ()

    @property
    def shortfall(self) -> float:
        """The gap, 0 where none was measured (a critic)."""
        return self.gap or 0.0


Assigned = list[list[tuple[str, ...]]]
"""For each prompt and rollout the tutors that are asked."""


def assign(
    rule: Rule, items: Sequence[Item], rollouts: int, tutors: Sequence[OpenTutor], key: Sequence[object]
) -> Assigned:
    """The tutors of every rollout [prompts][rollouts]. ``key`` names the random numbers of ``sample``."""
    choose = _RULES[rule]
    answer: Assigned = []
    for item in items:
        able = [t for t in tutors if item.domain in t.domains]
        answer.append(choose(item, rollouts, able, key) if able else [()] * rollouts)
    return answer


RolloutTutors = list[tuple[str, ...]]


def _spread(item: Item, rollouts: int, able: Sequence[OpenTutor], key: Sequence[object]) -> RolloutTutors:
    """Rollout j of prompt p goes to tutor (j + hash(p)) mod m: a round costs the same whatever the degree."""
    return [(able[(j + stable_hash(item.id)) % len(able)].name,) for j in range(rollouts)]


def _best(item: Item, rollouts: int, able: Sequence[OpenTutor], key: Sequence[object]) -> RolloutTutors:
    """The smallest gap; the first in file order where several have it."""
    return [(min(able, key=lambda t: t.shortfall).name,)] * rollouts


def _sample(item: Item, rollouts: int, able: Sequence[OpenTutor], key: Sequence[object]) -> RolloutTutors:
    # A softmax of minus the gap: the more cognizant a tutor, the more often it is asked.
    weights = np.exp([-t.shortfall for t in able])
    drawn = generator(*key, item.id, "tutor").choice(len(able), rollouts, p=weights / weights.sum())
    return [(able[k].name,) for k in drawn]


def _all(item: Item, rollouts: int, able: Sequence[OpenTutor], key: Sequence[object]) -> RolloutTutors:
    return [tuple(t.name for t in able)] * rollouts


_RULES: dict[Rule, Callable[[Item, int, Sequence[OpenTutor], Sequence[object]], RolloutTutors]] = {
    "spread": _spread,
    "best": _best,
    "sample": _sample,
    "all": _all,
    "committee": _spread,
}
