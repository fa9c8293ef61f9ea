"""The texts of the embedded world: questions, worked solutions, critiques.

One place, because the base model is trained on exactly these forms, the oracle tutor writes them and the
question generator asks them.
"""

from __future__ import annotations

from collections.abc import Sequence

from coopt.domains.scimini.facts import Fact

Values = Sequence[int]


def question(facts: Sequence[Fact]) -> str:
    """``period of coil and power of lens?``"""
    return " and ".join(f.phrase for f in facts) + "?"


def answer(values: Values) -> str:
    """The values in the order of the question: ``12 47``."""
    return " ".join(str(v) for v in values)


def solution(facts: Sequence[Fact], values: Values | None = None, answered: Values | None = None) -> str:
    """A worked solution that states ``values`` (default: the true ones) and answers with ``answered``
    (default: what it stated)."""
    values = [f.value for f in facts] if values is None else values
    stated = ", ".join(f"{f.phrase} {v}" for f, v in zip(facts, values, strict=True))
    return f"{stated}\n<answer> {answer(values if answered is None else answered)}</answer>"


def verdicts(facts: Sequence[Fact], written: Sequence[int | None], values: Values | None = None) -> str:
    """The body of a critique: each fact as the critic has it, ``yes`` or ``not`` what was written."""
    values = [f.value for f in facts] if values is None else values
    parts = []
    for fact, value, wrote in zip(facts, values, written, strict=True):
        verdict = "yes" if wrote == value else "no" if wrote is None else f"not {wrote}"
        parts.append(f"{fact.phrase} {value} {verdict}")
    return ", ".join(parts)


def critique(facts: Sequence[Fact], written: Sequence[int | None], values: Values | None = None) -> str:
    """An anchored critique: the first entity of the question as its concept, then the verdicts."""
    return f"<concept> {facts[0].entity}</concept>{verdicts(facts, written, values)}"
