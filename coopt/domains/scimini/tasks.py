"""Training texts for the embedded models, one function a role.

Every task is a ``Lesson``: the prompt, the response as the model reads it, and the response that it should
predict. The two responses have the same tokens but for numbers: a *slip* is a wrong number that stands in the
text while its target is the right one, so that the model has seen the wrong prefixes that students write.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import NamedTuple

from coopt.domains.reprompt import reprompt
from coopt.domains.scimini import texts
from coopt.domains.scimini.facts import Fact, all_facts, facts_of
from coopt.domains.scimini.questions import NUMBERS, Ask, draw_asks
from coopt.domains.scimini.traits import SHIPPED, Traits
from coopt.domains.scimini.values import WRONG_RATE, Values
from coopt.domains.scimini.wording import EXPLAIN, SCIMINI
from coopt.domains.wording import fill

SLIP_RATE = 0.3
MISREAD_RATE = 0.2
LUCK_RATE = 0.15
BROKEN_OFF_RATE = 0.1
OFF_TOPIC_RATE = 0.2
CONFLICT_RATE = 0.75  # in the family: how much to trust a critique takes many conflicts to learn
NOTHING: Mapping[Ask, int] = MappingProxyType({})
_READING = ("revise", "align", "critique_given")  # roles in which what is read counts, about any fact


class Lesson(NamedTuple):
    """One training text. ``reads`` and ``predicts`` have the same number of tokens."""

    prompt: str
    reads: str
    predicts: str


@dataclass(frozen=True)
class TaskMix:
    """Shares of the roles."""

    solve: float = 0.22
    revise: float = 0.33
    critique: float = 0.25
    repair: float = 0.05
    explain: float = 0.06
    judge: float = 0.09
    align: float = 0.0
    critique_given: float = 0.0


class TaskSampler(Values):
    """Draws lessons about ``known`` facts, and a share ``any_entity`` about any of ``everything``."""

    def __init__(
        self,
        rng: random.Random,
        known: Collection[Fact],
        everything: Sequence[Fact],
        mix: TaskMix | None = None,
        any_entity: float = 0.25,
        *,
        traits: Traits = SHIPPED,
        who: str = "",
    ) -> None:
        """``traits``: how readers and tutors behave. ``who``: whose beliefs about unknown facts are taught."""
        super().__init__(rng, known, traits, who)
        self.mix = asdict(mix or TaskMix())
        self.any_entity = any_entity
        self._known, self._everything = _by_domain(sorted(self.known)), _by_domain(everything)
        self._roles: dict[str, Callable[[list[Ask]], Lesson]] = {
            "solve": self._solve,
            "revise": self._revise,
            "critique": self._critique,
            "repair": self._repair,
            "explain": self._explain,
            "judge": self._judge,
            "align": self._align,
            "critique_given": self._critique_given,
        }

    def lesson(self, role: str | None = None, domain: str | None = None) -> Lesson:
        """A lesson; of a role and a domain drawn at random where none is given."""
        role = role or self.rng.choices(list(self.mix), list(self.mix.values()))[0]
        anywhere = role in _READING or self.rng.random() < self.any_entity
        facts = self._everything if anywhere else self._known
        return self._roles[role](draw_asks(self.rng, domain or self.rng.choice(list(facts)), facts))

    # -- roles -------------------------------------------------------------------------------------

    def _worked(self, prompt: str, asks: list[Ask], values: list[int], form: int | None = None) -> Lesson:
        """A solution with ``values``, with a slip now and then: what follows a slip follows from it."""
        form = self._form() if form is None else form
        written, found = list(values), texts.results(asks, values)
        derived = found
        if self.rng.random() < SLIP_RATE:
            at = self.rng.randrange(len(asks))
            if asks[at].step and self.rng.random() < 0.5:
                found = [self.rng.choice(NUMBERS) if k == at else r for k, r in enumerate(found)]
            else:
                written[at] = self._any_value(asks[at])
                derived = found = texts.results(asks, written)
        # Without a step the written value is the result, whose target stands in ``values``.
        return Lesson(
            prompt,
            texts.solution(asks, written, found, form=form),
            texts.solution(asks, values, derived, answered=found, form=form),
        )

    def _solve(self, asks: list[Ask]) -> Lesson:
        return self._worked(texts.question(asks), asks, self._beliefs(asks))

    def _revise(self, asks: list[Ask]) -> Lesson:
        """Hints are counterfactual more often than not, so that reading beats remembering.

        Where s and f conflict, s wins if its working is right (in the family of worlds: as often as deference lets it);
        if s is right by luck (a fact is wrong, the answer is right), its answer stands and f has the fact. What neither
        tells is answered from memory. The form is that of s.
        """
        shares = [0.3, 0.15, 0.55] if self.traits.family else [0.5, 0.25, 0.25]
        kind = self.rng.choices(["f", "s", "sf"], shares)[0]
        about = self._about(asks) if "f" in kind else []
        told = [
            self._hint(a) if "s" in kind or a in about else belief
            for a, belief in zip(asks, self._beliefs(asks), strict=True)
        ]
        found = texts.results(asks, told)
        lucky = self.rng.randrange(len(asks)) if "s" in kind and self.rng.random() < LUCK_RATE else None
        if lucky is not None and asks[lucky].step:
            lucky = None
        shown = [self._any_value(a) if k == lucky else v for k, (a, v) in enumerate(zip(asks, told, strict=True))]
        said = [told[asks.index(a)] if a in asks else self._any_value(a) for a in about]
        if kind == "sf" and lucky is None:
            said = self._some_wrong(about, said, CONFLICT_RATE if self.traits.family else WRONG_RATE)
        form = self._form()
        demonstration = texts.solution(asks, shown, answered=found, form=form) if "s" in kind else None
        by_s = dict(zip(asks, told, strict=True)) if self.traits.family and kind == "sf" else {}
        feedback = self._feedback(about, said, by_s) if "f" in kind else None
        if kind == "sf" and lucky is None:
            told = self._deferring(asks, told, dict(zip(about, said, strict=True)))
        prompt = reprompt(self.traits.wording, texts.question(asks), demonstration, feedback)
        return self._worked(prompt, asks, told, form if "s" in kind else None)

    def _about(self, asks: list[Ask]) -> list[Ask]:
        """What feedback is about: the question; now and then one part of it, or something else."""
        chance = self.rng.random()
        if chance < OFF_TOPIC_RATE / 2:
            return draw_asks(self.rng, self.rng.choice(list(self._everything)), self._everything)
        return [self.rng.choice(asks)] if chance < OFF_TOPIC_RATE else asks

    def _feedback(self, asks: list[Ask], said: list[int], by_s: Mapping[Ask, int] = NOTHING) -> str:
        """A message that says ``said``. ``by_s``: what s says; an attempt at the same question often says that, too."""
        if self.rng.random() < 0.15:
            return texts.steps(asks, said, form=self._form())  # a repair
        attempted = [by_s[a] if a in by_s and self.rng.random() < 0.6 else v for a, v in zip(asks, said, strict=True)]
        return texts.verdicts(asks, self._some_wrong(asks, attempted), said)

    def _attempt(self, asks: list[Ask], values: Sequence[int], form: int | None = None) -> tuple[str, list[int | None]]:
        """A student's solution with ``values``, and what it states of each fact that was asked for.

        Now and then the student misread the question: it gives another quantity, or one of another thing. A critic
        that follows the attempt and not the question would confirm it.
        """
        form = self._form() if form is None else form
        if self.rng.random() >= MISREAD_RATE:
            return texts.solution(asks, values, form=form), list(values)
        at = self.rng.randrange(len(asks))
        meant = asks[at].fact
        kin = [f for f in all_facts() if f not in (a.fact for a in asks) and meant.entity == f.entity]
        other = self.rng.choice(kin or [f for f in facts_of(meant.domain) if f not in (a.fact for a in asks)])
        read = [Ask(other) if k == at else a for k, a in enumerate(asks)]
        wrote = [other.value if k == at and self.rng.random() < 0.7 else v for k, v in enumerate(values)]
        return texts.solution(read, wrote, form=form), [None if k == at else v for k, v in enumerate(values)]

    def _critique(self, asks: list[Ask]) -> Lesson:
        beliefs = self._beliefs(asks)
        attempted = self._anybodys(asks) if self.traits.family else self._some_wrong(asks, beliefs)
        attempt, written = self._attempt(asks, attempted)
        if self.traits.family:
            beliefs = self._candid(asks, beliefs, written)
        naive = self.rng.random() < 0.2
        text = (texts.verdicts if naive else texts.critique)(asks, written, beliefs)
        template = self.traits.wording.naive if naive else self.traits.wording.anchored
        return self._reading(template, asks, text, response=attempt)

    def _repair(self, asks: list[Ask]) -> Lesson:
        """Right steps are repeated, wrong ones mended; what the model does not know it leaves as it is."""
        form = self._form()
        attempt, written = self._attempt(asks, self._some_wrong(asks, texts.truth(asks)), form)
        beliefs = self._beliefs(asks)
        mended = [b if a.fact in self.known or w is None else w for a, b, w in zip(asks, beliefs, written, strict=True)]
        return self._reading(SCIMINI.step, asks, texts.steps(asks, mended, form=form), response=attempt)

    def _explain(self, asks: list[Ask]) -> Lesson:
        """The working that leads to a given answer; a step is explained only where the fact is known."""
        asks = [a if a.fact in self.known else Ask(a.fact) for a in asks]
        values = [a.fact.value if a.step or self.rng.random() < 0.5 else self._any_value(a) for a in asks]
        given = texts.answer(texts.results(asks, values))
        return self._reading(EXPLAIN, asks, texts.solution(asks, values, form=self._form()), answer=given)

    def _judge(self, asks: list[Ask]) -> Lesson:
        """A score of a solution, a critique or a repair."""
        beliefs = self._beliefs(asks)
        values = beliefs if self.rng.random() < 0.2 else self._some_wrong(asks, beliefs)
        text, written = self._attempt(asks, values)
        if self.rng.random() < 0.5:
            text, written = self._feedback(asks, values), list(values)
        return self._reading(SCIMINI.judge, asks, texts.judgement(asks, written, beliefs), text=text)

    def _align(self, asks: list[Ask]) -> Lesson:
        """The attempt again, step by step as the worked solution has it: right steps stay, wrong ones and what follows
        from them are mended, and it is finished, in the attempt's form. The solution's values are mostly made up, as
        hints are."""
        values, form = [self._hint(a) for a in asks], self._form()
        attempt, _ = self._attempt(asks, self._some_wrong(asks, values), form)
        if self.rng.random() < BROKEN_OFF_RATE:
            attempt = attempt[: attempt.rfind(" ", 0, self.rng.randint(1, len(attempt)))]
        solution = texts.solution(asks, values, form=self._form())
        mended = texts.solution(asks, values, form=form)
        return self._reading(SCIMINI.step_given, asks, mended, response=attempt, solution=solution)

    def _critique_given(self, asks: list[Ask]) -> Lesson:
        """A critique of an attempt by the values of the worked solution."""
        values = [self._hint(a) for a in asks]
        attempt, written = self._attempt(asks, self._some_wrong(asks, values))
        fields = {"response": attempt, "solution": texts.solution(asks, values, form=self._form())}
        return self._reading(SCIMINI.naive_given, asks, texts.verdicts(asks, written, values), **fields)

    def _reading(self, template: str, asks: list[Ask], target: str, **fields: str) -> Lesson:
        return Lesson(fill(template, question=texts.question(asks), **fields), target, target)


def _by_domain(facts: Sequence[Fact]) -> dict[str, list[Fact]]:
    names = sorted({f.domain for f in facts})
    return {name: [f for f in facts if f.domain == name] for name in names}
