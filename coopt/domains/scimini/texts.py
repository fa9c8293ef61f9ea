"""The texts of the embedded world: questions, worked solutions, critiques, repairs, judgements.

One place, because the base model is trained on exactly these forms, the oracle tutor writes them and the
question generator asks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from coopt.domains.scimini.facts import Fact
from coopt.domains.scimini.questions import Ask

Values = Sequence[int]
T = TypeVar("T")


def question(asks: Sequence[Ask]) -> str:
    """``kelvin of melting of tin and number of iron?``"""
    return " and ".join(a.phrase for a in asks) + "?"


def truth(asks: Sequence[Ask]) -> list[int]:
    """The true values of the facts."""
    return [a.fact.value for a in asks]


def results(asks: Sequence[Ask], values: Values) -> list[int]:
    """What each part of the answer is if the facts have ``values``."""
    return [a.result(v) for a, v in zip(asks, values, strict=True)]


def answer(found: Values) -> str:
    """The results in the order of the question: ``505 26``."""
    return " ".join(str(v) for v in found)


def steps(asks: Sequence[Ask], values: Values, found: Values | None = None, form: int = 0) -> str:
    """The working: ``melting of tin 232, kelvin 505, number of iron 26``. ``found``: results as written. ``form``: 0 is
    the order of the question, 1 the reverse, 2 the first fact last; from 3 on the same with the thing before the
    quantity (``tin melting 232``)."""
    found = results(asks, values) if found is None else found
    parts = []
    for ask, value, result in _ordered(list(zip(asks, values, found, strict=True)), form % 3):
        parts.append(f"{phrase(ask.fact, form)} {value}")
        if ask.step:
            parts.append(f"{ask.step.name} {result}")
    return ", ".join(parts)


def _ordered(parts: list[T], order: int) -> list[T]:
    return parts if order == 0 else parts[::-1] if order == 1 else parts[1:] + parts[:1]


def turned(fact: Fact) -> str:
    """The other phrasing of a fact: ``tin melting``."""
    return f"{fact.entity} {fact.relation}"


def phrase(fact: Fact, form: int) -> str:
    """A fact as a working of that form says it."""
    return fact.phrase if form < 3 else turned(fact)


def solution(asks: Sequence[Ask], values: Values, found: Values | None = None, answered: Values | None = None,
             form: int = 0) -> str:  # fmt: skip
    """A worked solution: the working, and ``answered`` in the question's order (default: the results that it found)."""
    found = results(asks, values) if found is None else found
    return f"{steps(asks, values, found, form)}\n<answer> {answer(found if answered is None else answered)}</answer>"


def verdicts(asks: Sequence[Ask], written: Sequence[int | None], values: Values) -> str:
    """The body of a critique: each fact asked for as the critic has it, ``yes`` or ``not`` what was written (``no``
    where the attempt does not state it)."""
    parts = []
    for ask, value, wrote in zip(asks, values, written, strict=True):
        verdict = "yes" if wrote == value else "no" if wrote is None else f"not {wrote}"
        parts.append(f"{ask.fact.phrase} {value} {verdict}")
    return ", ".join(parts)


def critique(asks: Sequence[Ask], written: Sequence[int | None], values: Values) -> str:
    """An anchored critique: the first entity of the question as its concept, then the verdicts."""
    return f"<concept> {asks[0].fact.entity}</concept>{verdicts(asks, written, values)}"


def judgement(asks: Sequence[Ask], written: Sequence[int | None], values: Values) -> str:
    """Verdicts on a text's facts, then a score: 1 if none is right, 5 if all are."""
    right = sum(w == v for w, v in zip(written, values, strict=True))
    return f"{verdicts(asks, written, values)}, score {1 + (4 * right + len(asks) // 2) // len(asks)}"
