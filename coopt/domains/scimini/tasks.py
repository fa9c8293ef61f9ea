"""Training texts for the embedded models: solve, revise (with s, f or both) and critique.

Every task is a ``Lesson``: the prompt, the response as the model reads it, and the response that it should
predict. The two responses have the same tokens but for values: a *slip* is a wrong value that stands in the
text while its target is the right one, so that the model has seen the wrong prefixes that students write.
``UNKNOWN`` as a target means: no loss here.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import NamedTuple

from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import MAX_NUMBER, Fact
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.wording import fill
from coopt.feedback.reprompt import reprompt

UNKNOWN = MAX_NUMBER - 1  # a number token that no fact has
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
    """Draws lessons about ``known`` facts; unknown facts appear only with their values left out of the loss."""

    def __init__(
        self, rng: random.Random, known: Collection[Fact], everything: Sequence[Fact], mix: TaskMix | None = None
    ) -> None:
        self.rng = rng
        self.known = frozenset(known)
        self.mix = mix or TaskMix()
        self._pools = _by_domain(sorted(self.known)), _by_domain(everything)

    def lesson(self) -> Lesson:
        role = self.rng.choices(["solve", "revise", "critique"], self.mix[:3])[0]
        anywhere = role == "revise" or self.rng.random() < self.mix.any_entity
        facts = self._facts(self._pools[1] if anywhere else self._pools[0])
        return {"solve": self._solve, "revise": self._revise, "critique": self._critique}[role](facts)

    def _facts(self, pools: list[list[Fact]]) -> list[Fact]:
        count = 3 if self.rng.random() < 0.5 else 2
        return self.rng.sample(self.rng.choice(pools), count)

    def _any_value(self) -> int:
        return self.rng.randrange(1, UNKNOWN)

    def _slipped(self, values: list[int]) -> list[int]:
        if self.rng.random() >= SLIP_RATE:
            return values
        at = self.rng.randrange(len(values))
        return [self._any_value() if i == at else v for i, v in enumerate(values)]

    def _solve(self, facts: list[Fact]) -> Lesson:
        believed = [f.value if f in self.known else self._any_value() for f in facts]
        wrote = self._slipped(believed)
        target = [f.value if f in self.known else UNKNOWN for f in facts]
        return Lesson(
            texts.question(facts), texts.solution(facts, wrote), texts.solution(facts, target, answered=wrote)
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
        true = [f.value if f in self.known else self._any_value() for f in facts]
        written = [v if self.rng.random() >= WRONG_RATE else self._any_value() for v in true]
        target = [f.value if f in self.known else UNKNOWN for f in facts]
        naive = self.rng.random() < 0.2
        write = texts.verdicts if naive else texts.critique
        reads = write(facts, written, true)
        parts = dict(question=texts.question(facts), response=texts.solution(facts, written))
        return Lesson(
            fill(SCIMINI.naive if naive else SCIMINI.anchored, **parts),
            reads,
            _replace_values(reads, facts, true, target),
        )


def _replace_values(text: str, facts: Sequence[Fact], old: Sequence[int], new: Sequence[int]) -> str:
    for fact, was, now in zip(facts, old, new, strict=True):
        text = text.replace(f"{fact.phrase} {was} ", f"{fact.phrase} {now} ")
    return text


def _by_domain(facts: Sequence[Fact]) -> list[list[Fact]]:
    names = sorted({f.domain for f in facts})
    return [[f for f in facts if f.domain == name] for name in names]
