"""The numbers in a lesson: what the model knows, guesses, is told, and believes.

A fact that the model is not to know gets a number drawn anew each time it is asked. So the model learns that it
does not know: it spreads its guesses instead of being sure of a wrong one, which no bounded divergence could
unteach in a hundred steps. Half of the guesses are wild, any number of the world. With guesses among the quantity's
own values alone (right once in thirty) a student learns nearly every fact from its own lucky rollouts; with wild
ones alone a fact is so improbable at first that a hundred steps of true feedback hardly teach it.

In a critique the attempt agrees with the critic's belief more often than not. So a critic learns that to confirm is
the best bet on what it does not know: weak tutors are flatterers (docs/scimini.md).
In the family of worlds attempts are anybody's, and ``Traits`` say what a critic states of what it does not know.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import RELATION, Fact
from coopt.domains.scimini.questions import NUMBERS, Ask
from coopt.domains.scimini.traits import Traits, believed, confusion_set

WRONG_RATE = 0.4
WILD_GUESS_RATE = 0.5


class Values:
    """Draws numbers for lessons about facts of which ``known`` are known."""

    def __init__(self, rng: random.Random, known: Collection[Fact], traits: Traits, who: str) -> None:
        """``traits``: how readers and tutors behave. ``who``: whose beliefs about unknown facts are taught."""
        self.rng = rng
        self.known = frozenset(known)
        self.traits, self.who = traits, who

    def _any_value(self, ask: Ask) -> int:
        """Any number of the world; one that the step can be made on, where there is a step."""
        return self.rng.choice(list(RELATION[ask.fact.relation].values.values()) if ask.step else NUMBERS)

    def _some_wrong(self, asks: list[Ask], values: Sequence[int], rate: float = WRONG_RATE) -> list[int]:
        return [v if self.rng.random() >= rate else self._any_value(a) for a, v in zip(asks, values, strict=True)]

    def _beliefs(self, asks: list[Ask]) -> list[int]:
        """What the model is to say: the truth, or a fresh guess."""
        return [a.fact.value if a.fact in self.known else self._guess(a) for a in asks]

    def _guess(self, ask: Ask) -> int:
        if self.traits.belief and self.rng.random() < self.traits.belief:
            return believed(ask.fact, self.who, self.traits.confusion)
        return self._stray(ask)

    def _stray(self, ask: Ask) -> int:
        if self.traits.confusion:
            return self.rng.choice(confusion_set(ask.fact, self.traits.confusion))
        if self.rng.random() < WILD_GUESS_RATE:
            return self._any_value(ask)
        return self.rng.choice(list(RELATION[ask.fact.relation].values.values()))

    def _form(self) -> int:
        return self.rng.randrange(self.traits.forms) if self.traits.forms > 1 else 0

    def _deferring(self, asks: list[Ask], told: list[int], said: dict[Ask, int]) -> list[int]:
        """``told`` by s, but for facts on which the critique is believed instead."""
        chance = self.traits.deference / 100
        return [said[a] if chance and said.get(a, v) != v and self.rng.random() < chance else v
                for a, v in zip(asks, told, strict=True)]  # fmt: skip

    def _hint(self, ask: Ask) -> int:
        return ask.fact.value if ask.fact in self.known and self.rng.random() < 0.4 else self._any_value(ask)

    def _anybodys(self, asks: list[Ask]) -> list[int]:
        """What a student writes whose knowledge has nothing to do with the critic's."""
        truth = texts.truth(asks)
        return [v if self.rng.random() >= WRONG_RATE else self._stray(a) for a, v in zip(asks, truth, strict=True)]

    def _candid(self, asks: list[Ask], beliefs: list[int], written: Sequence[int | None]) -> list[int]:
        """What the critic states: what it knows, and of the rest its belief or, without candour, what was written."""
        chance = self.traits.candour / 100
        return [b if a.fact in self.known or w is None or self.rng.random() < chance else w
                for a, b, w in zip(asks, beliefs, written, strict=True)]  # fmt: skip
