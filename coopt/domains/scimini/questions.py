"""What can be asked: one to three facts, a calculation on one of them, within a domain or between two."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from coopt.domains.scimini.facts import RELATIONS, Fact


class Calculation(NamedTuple):
    """A calculation on the value of a relation."""

    name: str
    relation: str
    compute: Callable[[int], int]


STEPS = {
    step.relation: step
    for step in (
        Calculation("kelvin", "melting", lambda celsius: celsius + 273),
        Calculation("residue", "mass", lambda mass: mass - 18),  # what is left when it condenses and loses a water
        Calculation("paired", "modulus", lambda modulus: 2 * modulus),  # two equal bars side by side
        Calculation("haploid", "chromosomes", lambda diploid: diploid // 2),
    )
}

FAMILIES = {
    "physical chemistry": ("physics", "chemistry"),
    "materials physics": ("materials", "physics"),
    "biochemistry": ("biology", "chemistry"),
}
"""Questions between two domains: they need facts of both."""

_SIZES, _SIZE_WEIGHTS = (1, 2, 3), (0.15, 0.45, 0.40)
_BETWEEN = 0.3
_STEP_OF_TWO = 0.35


class Ask(NamedTuple):
    """One part of a question: a fact, or what a step makes of it."""

    fact: Fact
    step: Calculation | None = None

    @property
    def phrase(self) -> str:
        return f"{self.step.name} of {self.fact.phrase}" if self.step else self.fact.phrase

    def result(self, value: int) -> int:
        """What the answer holds if the fact has ``value``."""
        return self.step.compute(value) if self.step else value


def _numbers() -> tuple[int, ...]:
    values = {v for r in RELATIONS for v in r.values.values()}
    results = {s.compute(v) for r in RELATIONS if (s := STEPS.get(r.name)) for v in r.values.values()}
    return tuple(sorted(values | results | set(range(1, 6))))


NUMBERS = _numbers()
"""Every number that a text of the world can hold."""


def draw_asks(rng: random.Random, domain: str, facts: Mapping[str, Sequence[Fact]]) -> list[Ask]:
    """A question of ``domain`` from ``facts`` by domain.

    A question between two domains is drawn only if ``facts`` has both. A single fact is never asked for as it is.
    """
    families = [pair for pair in FAMILIES.values() if domain in pair and all(facts.get(d) for d in pair)]
    size = rng.choices(_SIZES, _SIZE_WEIGHTS)[0]
    if size == 1:
        fact = rng.choice([f for f in facts[domain] if f.relation in STEPS])
        return [Ask(fact, STEPS[fact.relation])]
    if families and rng.random() < _BETWEEN:
        first, second = rng.choice(families)
        chosen = [rng.choice(facts[first]), rng.choice(facts[second])]
        if size == 3:
            chosen.append(rng.choice([f for f in (*facts[first], *facts[second]) if f not in chosen]))
        rng.shuffle(chosen)
    else:
        chosen = rng.sample(facts[domain], size)
    asks = [Ask(f) for f in chosen]
    if size == 2 and rng.random() < _STEP_OF_TWO:
        places = [k for k, f in enumerate(chosen) if f.relation in STEPS]
        if places:
            k = rng.choice(places)
            asks[k] = Ask(chosen[k], STEPS[chosen[k].relation])
    return asks


def family_of(asks: Sequence[Ask]) -> str | None:
    """The name of the family between two domains that a question belongs to, None within one domain."""
    domains = {a.fact.domain for a in asks}
    return next((name for name, pair in FAMILIES.items() if domains == set(pair)), None)
