"""A rollout: one response of a tutee to a training question, and everything that is known of it.

It is made by ``Step.roll_out``, gets its demonstration from the method and its messages from ``Step.ask_tutors``, is
turned into a row of the trainer by ``Step.distil``, and is written down by ``coopt.methods.records``. Nobody changes a
rollout: each of these steps returns new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from coopt.domains.base import Domain, Item
from coopt.domains.thinking import without_thinking
from coopt.lm.engines.base import Generation

SUCCESS = 0.5  # a reward at or above this is a correct rollout (SDPO's shipped threshold)

Outcome = Literal["kept", "no_match", "no_concept_tag", "empty", "all_generic"]
OUTCOMES: tuple[Outcome, ...] = ("kept", "no_match", "no_concept_tag", "empty", "all_generic")


class Feedback(NamedTuple):
    """A tutor's message after the filter. ``text`` is None unless the outcome is kept."""

    outcome: Outcome
    text: str | None
    revealed: bool
    """The raw message gave the answer away."""
    leaked: bool
    """The kept text still does."""


class Told(NamedTuple):
    """What one tutor said on one rollout."""

    tutor: str
    raw: str
    feedback: Feedback | None
    unread: bool
    """The request was too long for the tutor, or refused, or it was away."""
    score: float | None = None
    """The committee's mean, 1 to 5."""
    voted_down: bool = False
    """It did not pass the committee, and is not handed on."""
    judgements: tuple[tuple[str, str], ...] = ()
    """What each judge, by name, wrote about it."""
    rewrite: bool = False
    """It is a whole solution and no feedback."""

    @property
    def text(self) -> str | None:
        """What is handed on."""
        return self.feedback.text if self.feedback and not self.voted_down else None

    @property
    def accepted(self) -> bool:
        """Judged, and not voted down."""
        return self.score is not None and not self.voted_down


class Context(NamedTuple):
    """What the self-teacher of one rollout sees beyond the question: c = (s, f), or a reference to derive anew."""

    demonstration: str | None
    feedback: str | None
    reference: str | None = None


PLAIN = Context(None, None)
"""The teacher would see no more than the student."""


@dataclass(frozen=True)
class Rollout:
    """One response to one question. ``prompt``: the token ids that the student read."""

    item: Item
    prompt: tuple[int, ...]
    generation: Generation
    reward: float
    read: bool = True
    """Whether an answer could be read out of it, right or wrong."""
    demonstration: str | None = None
    """s: a correct rollout of the same question, or a worked solution."""
    told: tuple[Told, ...] = ()
    """What its tutors said, each once."""
    context: Context = PLAIN
    """c, with which its teacher reads it."""

    @property
    def text(self) -> str:
        return self.generation.text

    @property
    def shown(self) -> str:
        """What another reader gets of it: without what was thought."""
        return without_thinking(self.text)

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.generation.tokens

    @property
    def correct(self) -> bool:
        return self.reward >= SUCCESS


def rewarded(domain: Domain, item: Item, prompt: Sequence[int], generation: Generation) -> Rollout:
    """A response as its domain scores it."""
    text = generation.text
    return Rollout(item, tuple(prompt), generation, domain.score(text, item), domain.read(text, item).read)


@dataclass(frozen=True)
class RolloutGroup:
    """The n rollouts of one prompt."""

    item: Item
    rollouts: tuple[Rollout, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What else the method wants kept beside them."""

    @property
    def rewards(self) -> list[float]:
        return [y.reward for y in self.rollouts]


def all_rollouts(groups: Iterable[RolloutGroup]) -> list[Rollout]:
    """The rollouts of all groups, one after another."""
    return [y for group in groups for y in group.rollouts]


def heard(told: Sequence[Told]) -> str | None:
    """f of a rollout: its tutors' kept texts, one after another; None where there is none."""
    return "\n".join(m.text for m in told if m.text is not None and not m.rewrite) or None


def rewritten(told: Sequence[Told]) -> str | None:
    """The first solution that a tutor handed over for a rollout; None where there is none."""
    return next((m.text for m in told if m.text is not None and m.rewrite), None)


def earliest_correct(group: RolloutGroup, exclude_self: bool) -> list[str | None]:
    """For each rollout the earliest correct rollout of its prompt, other than itself if ``exclude_self``, as it is
    shown."""
    correct = [j for j, y in enumerate(group.rollouts) if y.correct]
    chosen: list[str | None] = []
    for j in range(len(group.rollouts)):
        # A rollout that is shown itself would be told to repeat itself (SDPO: exclude_self).
        candidates = [c for c in correct if not (exclude_self and c == j)]
        chosen.append(group.rollouts[candidates[0]].shown if candidates else None)
    return chosen
