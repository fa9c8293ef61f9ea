"""Training texts for the embedded models: solve, revise (with s, f or both) and critique.

Every task is a ``Lesson``: the prompt, the response as the model reads it, and the response that it should
predict. The two responses have the same tokens but for values: a *slip* is a wrong value that stands in the
text while its target is the right one, so that the model has seen the wrong prefixes that students write.

A fact that the model is not to know gets a value drawn anew each time it is asked. So the model learns that it
does not know: it spreads its guesses over the relation's values instead of being sure of a wrong one, which no
bounded divergence could unteach in a hundred steps.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import MAX_NUMBER, Fact, all_facts
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.wording import fill
from coopt.feedback.reprompt import reprompt

SLIP_RATE = 0.3
WRONG_RATE = 0.4


class Lesson(NamedTuple):
    """One training text. ``reads`` and ``predicts`` have the same number of tokens."""

    prompt: str
    reads: str
    predicts: str


class TaskMix(NamedTuple):
    """Shares of the roles, and the share of solve and critique tasks about any entity at all."""

    solve: float = 0.35
    revise: float = 0.35
    critique: float = 0.30
    any_entity: float = 0.25


class TaskSampler:
    """Draws lessons: a share about ``known`` facts only, a share about any of ``everything``."""

    def __init__(
        self, rng: random.Random, known: Collection[Fact], everything: Sequence[Fact], mix: TaskMix | None = None
    ) -> None:
        self.rng = rng
        self.known = frozenset(known)
        self.mix = mix or TaskMix()
        self._pools = _by_domain(sorted(self.known)), _by_domain(everything)
        self._guesses: dict[str, list[int]] = {}
        for fact in all_facts():
            self._guesses.setdefault(fact.relation, []).append(fact.value)

    def lesson(self) -> Lesson:
        role = self.rng.choices(["solve", "revise", "critique"], self.mix[:3])[0]
        anywhere = role == "revise" or self.rng.random() < self.mix.any_entity
        facts = self._facts(self._pools[1] if anywhere else self._pools[0])
        return {"solve": self._solve, "revise": self._revise, "critique": self._critique}[role](facts)

    def _facts(self, pools: list[list[Fact]]) -> list[Fact]:
        count = 3 if self.rng.random() < 0.5 else 2
        return self.rng.sample(self.rng.choice(pools), count)

    def _any_value(self) -> int:
        return self.rng.randrange(1, MAX_NUMBER)

    def _belief(self, fact: Fact) -> int:
        """What the model is to say: the truth, or a fresh guess from the relation's values."""
        return fact.value if fact in self.known else self.rng.choice(self._guesses[fact.relation])

    def _slipped(self, values: list[int]) -> list[int]:
        if self.rng.random() >= SLIP_RATE:
            return values
        at = self.rng.randrange(len(values))
        return [self._any_value() if i == at else v for i, v in enumerate(values)]

    def _solve(self, facts: list[Fact]) -> Lesson:
        believed = [self._belief(f) for f in facts]
        wrote = self._slipped(believed)
        return Lesson(
            texts.question(facts), texts.solution(facts, wrote), texts.solution(facts, believed, answered=wrote)
        )

    def _revise(self, facts: list[Fact]) -> Lesson:
        """Hints are counterfactual more often than not, so that reading beats remembering."""
        kind = self.rng.choices(["f", "s", "sf"], [0.5, 0.25, 0.25])[0]
        told = [f.value if f in self.known and self.rng.random() < 0.4 else self._any_value() for f in facts]
        written = [v if self.rng.random() >= WRONG_RATE else self._any_value() for v in told]
        said = told
        if kind == "sf":  # s is right, f may err: s wins
            said = [v if self.rng.random() >= WRONG_RATE else self._any_value() for v in told]
        feedback = texts.verdicts(facts, written, said) if "f" in kind else None
        demonstration = texts.solution(facts, told) if "s" in kind else None
        wrote = self._slipped(told)
        return Lesson(
            reprompt(SCIMINI, texts.question(facts), demonstration, feedback),
            texts.solution(facts, wrote),
            texts.solution(facts, told, answered=wrote),
        )

    def _critique(self, facts: list[Fact]) -> Lesson:
        believed = [self._belief(f) for f in facts]
        written = [v if self.rng.random() >= WRONG_RATE else self._any_value() for v in believed]
        naive = self.rng.random() < 0.2
        text = (texts.verdicts if naive else texts.critique)(facts, written, believed)
        prompt = fill(
            SCIMINI.naive if naive else SCIMINI.anchored,
            question=texts.question(facts),
            response=texts.solution(facts, written),
        )
        return Lesson(prompt, text, text)


def _by_domain(facts: Sequence[Fact]) -> list[list[Fact]]:
    names = sorted({f.domain for f in facts})
    return [[f for f in facts if f.domain == name] for name in names]
