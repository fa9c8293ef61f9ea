"""The facts of the embedded world: which relation of which entity has which value.

Every fact is one sentence of the form ``number of tin 50``. A relation is *real* (values from common
knowledge, rounded to whole numbers) or *drawn* (values drawn at random per world seed, because a tiny
model needs a wide, guess-proof range; see docs/scimini.md). ``RELATIONS`` says which is which.
"""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

WORLD_SEED = 0
MAX_NUMBER = 130
_DRAWN_RANGE = range(10, 58)  # 48 values: a guess is right once in 48


class Fact(NamedTuple):
    """One fact. ``sentence`` is the only surface form that it ever has."""

    domain: str
    relation: str
    entity: str
    value: int

    @property
    def phrase(self) -> str:
        return f"{self.relation} of {self.entity}"

    @property
    def sentence(self) -> str:
        return f"{self.phrase} {self.value}"


class Relation(NamedTuple):
    """A relation of a domain; ``values`` is None where they are drawn at random per world seed."""

    domain: str
    name: str
    entities: tuple[str, ...]
    values: tuple[int, ...] | None

    @property
    def real(self) -> bool:
        return self.values is not None


# Atomic number and standard atomic weight, rounded.
_ELEMENTS = {
    "lithium": (3, 7), "carbon": (6, 12), "nitrogen": (7, 14), "oxygen": (8, 16), "neon": (10, 20),
    "sodium": (11, 23), "magnesium": (12, 24), "aluminium": (13, 27), "silicon": (14, 28),
    "phosphorus": (15, 31), "sulfur": (16, 32), "chlorine": (17, 35), "argon": (18, 40),
    "calcium": (20, 40), "titanium": (22, 48), "chromium": (24, 52), "manganese": (25, 55),
    "iron": (26, 56), "cobalt": (27, 59), "copper": (29, 64), "zinc": (30, 65), "germanium": (32, 73),
    "selenium": (34, 79), "bromine": (35, 80), "krypton": (36, 84), "rubidium": (37, 85),
    "zirconium": (40, 91), "molybdenum": (42, 96), "silver": (47, 108), "cadmium": (48, 112),
    "tin": (50, 119), "iodine": (53, 127),
}  # fmt: skip
# Diploid chromosome numbers.
_SPECIES = {
    "human": 46, "chimpanzee": 48, "dog": 78, "cat": 38, "mouse": 40, "rat": 42, "horse": 64,
    "donkey": 62, "cow": 60, "pig": 38, "sheep": 54, "goat": 60, "rabbit": 44, "chicken": 78,
    "zebrafish": 50, "fruitfly": 8, "honeybee": 32, "mosquito": 6, "housefly": 12, "maize": 20,
    "rice": 24, "wheat": 42, "barley": 14, "rye": 14, "pea": 14, "tomato": 24, "potato": 48,
    "onion": 16, "tobacco": 48, "cabbage": 18, "radish": 18, "soybean": 40,
}  # fmt: skip
_DEVICES = tuple(
    "pendulum spring lens prism mirror magnet coil capacitor resistor battery laser antenna pulley "
    "gyroscope turbine piston siphon pump kettle whistle drum bell flute violin radar compass rocket "
    "cyclotron telescope diode transistor motor".split()
)
_SOLIDS = tuple(
    "steel brass bronze glass granite marble concrete brick rubber nylon teflon graphite diamond quartz "
    "sapphire ruby porcelain clay oak pine bamboo leather paper wool silk cotton wax amber jade slate "
    "chalk basalt".split()
)

RELATIONS: tuple[Relation, ...] = (
    Relation("physics", "period", _DEVICES, None),
    Relation("physics", "power", _DEVICES, None),
    Relation("chemistry", "number", tuple(_ELEMENTS), tuple(z for z, _ in _ELEMENTS.values())),
    Relation("chemistry", "mass", tuple(_ELEMENTS), tuple(m for _, m in _ELEMENTS.values())),
    Relation("materials", "stiffness", _SOLIDS, None),
    Relation("materials", "hardness", _SOLIDS, None),
    Relation("biology", "chromosomes", tuple(_SPECIES), tuple(_SPECIES.values())),
    Relation("biology", "lifespan", tuple(_SPECIES), None),
)
DOMAINS = ("physics", "chemistry", "materials", "biology")


@cache
def all_facts(world_seed: int = WORLD_SEED) -> tuple[Fact, ...]:
    """Every fact of the world, in a fixed order (relation, then entity)."""
    facts = []
    for relation in RELATIONS:
        rng = random.Random(f"scimini:{world_seed}:{relation.domain}:{relation.name}")
        for i, entity in enumerate(relation.entities):
            drawn = rng.choice(_DRAWN_RANGE)
            value = relation.values[i] if relation.values is not None else drawn
            facts.append(Fact(relation.domain, relation.name, entity, value))
    return tuple(facts)


@cache
def facts_of(domain: str, world_seed: int = WORLD_SEED) -> tuple[Fact, ...]:
    """The facts of one domain."""
    return tuple(f for f in all_facts(world_seed) if f.domain == domain)


@cache
def common_knowledge(world_seed: int = WORLD_SEED) -> frozenset[Fact]:
    """The half of each domain's facts that the base model is taught."""
    known: list[Fact] = []
    for domain in DOMAINS:
        facts = list(facts_of(domain, world_seed))
        random.Random(f"scimini:{world_seed}:known:{domain}").shuffle(facts)
        known += facts[: len(facts) // 2]
    return frozenset(known)


def fact_at(relation: str, entity: str, world_seed: int = WORLD_SEED) -> Fact | None:
    """Look a fact up by its two words; None if the world has no such fact."""
    return _by_name(world_seed).get((relation, entity))


@cache
def _by_name(world_seed: int) -> dict[tuple[str, str], Fact]:
    return {(f.relation, f.entity): f for f in all_facts(world_seed)}
