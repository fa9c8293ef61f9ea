"""A method: who tutors whom, behind which gate, and what a rollout's target is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from coopt.config.schema import GateConfig
from coopt.domains.base import Item
from coopt.engine.base import Generation
from coopt.feedback.anchor import Feedback
from coopt.graph.topology import Edge, Topology


class RolloutGroup(NamedTuple):
    """The n rollouts of one prompt with their rewards."""

    item: Item
    rollouts: list[Generation]
    rewards: list[float]


class Context(NamedTuple):
    """What the self-teacher of one rollout sees beyond the question: c = (s, f)."""

    demonstration: str | None
    feedback: str | None


class Told(NamedTuple):
    """What one tutor said on one rollout. ``unread``: the request was too long for the tutor, or it was away.
    ``score``: the committee's mean, 1 to 5; ``voted_down``: it did not pass, and is not handed on; ``judgements``:
    what each judge, by name, wrote about it."""

    tutor: str
    raw: str
    feedback: Feedback | None
    unread: bool
    score: float | None = None
    voted_down: bool = False
    judgements: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str | None:
        """What is handed on."""
        return self.feedback.text if self.feedback and not self.voted_down else None


Messages = list[list[tuple[Told, ...]]]
"""For each prompt and rollout what its tutors said."""


def heard(messages: Sequence[Told]) -> str | None:
    """f of a rollout: its tutors' kept texts, one after another; None where there is none."""
    return "\n".join(m.text for m in messages if m.text is not None) or None


class Method(Protocol):
    """One row of the benchmark. Adding one is adding a file and its name in ``registry.py``."""

    name: str
    description: str
    adversaries: bool
    """Whether the run's hostile nodes are hostile here."""

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        """The tutor edges that this method uses in a round, each with its gate; ``ORACLE`` may stand as a tutor.
        ``default``: the run's gate."""
        ...

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        """s for each rollout of a group, None where there is none."""
        ...

    def deliver(self, messages: Messages) -> Messages:
        """Who gets which feedback: [prompts][rollouts] as the tutors wrote it -> as the teacher reads it."""
        ...


ORACLE = "oracle"
SUCCESS = 0.5  # a reward at or above this is a correct rollout (SDPO's shipped threshold)


def earliest_correct(group: RolloutGroup, exclude_self: bool) -> list[str | None]:
    """For each rollout the earliest correct rollout of its prompt, other than itself if ``exclude_self``."""
    correct = [j for j, reward in enumerate(group.rewards) if reward >= SUCCESS]
    chosen: list[str | None] = []
    for j in range(len(group.rollouts)):
        candidates = [c for c in correct if not (exclude_self and c == j)]
        chosen.append(group.rollouts[candidates[0]].text if candidates else None)
    return chosen
