"""The facts of the embedded world: which quantity of which thing has which value.

All values are real: handbook values, rounded to whole numbers in the unit that ``RELATIONS`` states. Every fact
is one sentence of the form ``number of tin 50``.
"""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

DOMAINS = ("physics", "chemistry", "materials", "biology")


class Fact(NamedTuple):
    """One fact. ``phrase`` and the value are the only surface form that it ever has."""

    domain: str
    relation: str
    entity: str
    value: int

    @property
    def phrase(self) -> str:
        return f"{self.relation} of {self.entity}"


class Relation(NamedTuple):
    """A quantity of a domain: its unit, and its value for every entity."""

    domain: str
    name: str
    unit: str
    values: dict[str, int]


# Columns: atomic number; melting point, degrees Celsius; density, 0.01 g/cm3; Young's modulus, GPa;
# thermal conductivity, W/(m K). Handbooks differ by some percent in the last three.
_METALS = {
    "lithium": (3, 181, 53, 5, 85), "beryllium": (4, 1287, 185, 287, 200), "sodium": (11, 98, 97, 10, 142),
    "magnesium": (12, 650, 174, 45, 156), "aluminium": (13, 660, 270, 70, 237), "calcium": (20, 842, 155, 20, 201),
    "titanium": (22, 1668, 451, 116, 22), "vanadium": (23, 1910, 611, 128, 31), "chromium": (24, 1907, 719, 279, 94),
    "manganese": (25, 1246, 744, 198, 8), "iron": (26, 1538, 787, 211, 80), "cobalt": (27, 1495, 890, 209, 100),
    "nickel": (28, 1455, 891, 200, 91), "copper": (29, 1085, 896, 130, 401), "zinc": (30, 420, 714, 108, 116),
    "zirconium": (40, 1855, 652, 88, 23), "niobium": (41, 2477, 857, 105, 54), "molybdenum": (42, 2623, 1028, 329, 138),
    "ruthenium": (44, 2334, 1245, 447, 117), "palladium": (46, 1555, 1202, 121, 72), "silver": (47, 962, 1049, 83, 429),
    "cadmium": (48, 321, 865, 50, 97), "tin": (50, 232, 729, 50, 67), "hafnium": (72, 2233, 1331, 78, 23),
    "tantalum": (73, 3017, 1665, 186, 57), "tungsten": (74, 3422, 1925, 411, 173), "rhenium": (75, 3186, 2102, 463, 48),
    "iridium": (77, 2446, 2256, 528, 147), "platinum": (78, 1768, 2145, 168, 72), "gold": (79, 1064, 1930, 79, 318),
    "lead": (82, 327, 1134, 16, 35), "bismuth": (83, 271, 978, 32, 8),
}  # fmt: skip
# Molar mass, g/mol.
_MOLECULES = {
    "glycine": 75, "alanine": 89, "serine": 105, "proline": 115, "valine": 117, "threonine": 119, "cysteine": 121,
    "leucine": 131, "isoleucine": 131, "asparagine": 132, "aspartate": 133, "glutamine": 146, "lysine": 146,
    "glutamate": 147, "methionine": 149, "histidine": 155, "phenylalanine": 165, "arginine": 174, "tyrosine": 181,
    "tryptophan": 204, "glucose": 180, "ribose": 150, "sucrose": 342, "glycerol": 92, "ethanol": 46, "methanol": 32,
    "urea": 60, "taurine": 125, "adenosine": 267, "guanosine": 283, "cytidine": 243, "uridine": 244,
}  # fmt: skip
# Diploid chromosome number.
_SPECIES = {
    "human": 46, "chimpanzee": 48, "dog": 78, "cat": 38, "mouse": 40, "rat": 42, "horse": 64,
    "donkey": 62, "cow": 60, "pig": 38, "sheep": 54, "goat": 60, "rabbit": 44, "chicken": 78,
    "zebrafish": 50, "fruitfly": 8, "honeybee": 32, "mosquito": 6, "housefly": 12, "maize": 20,
    "rice": 24, "wheat": 42, "barley": 14, "rye": 14, "pea": 14, "tomato": 24, "potato": 48,
    "onion": 16, "tobacco": 48, "cabbage": 18, "radish": 18, "soybean": 40,
}  # fmt: skip
# Amino acids of the mature chain (human where species differ; lysozyme and avidin of the hen, ribonuclease of the
# cow, papain of the papaya; angiotensin II, cytochrome c, the alpha chain of haemoglobin).
_PROTEINS = {
    "insulin": 51, "glucagon": 29, "oxytocin": 9, "angiotensin": 8, "somatostatin": 14, "gastrin": 17, "secretin": 27,
    "calcitonin": 32, "amylin": 37, "ghrelin": 28, "corticotropin": 39, "endorphin": 31, "thymosin": 43,
    "ubiquitin": 76, "parathormone": 84, "cytochrome": 104, "thioredoxin": 105, "lysozyme": 129, "ribonuclease": 124,
    "lactalbumin": 123, "myoglobin": 153, "calmodulin": 148, "haemoglobin": 141, "leptin": 146, "erythropoietin": 165,
    "somatotropin": 191, "prolactin": 199, "papain": 212, "avidin": 128, "actin": 375, "albumin": 585, "pepsin": 326,
}  # fmt: skip


def _metals(column: int) -> dict[str, int]:
    return {name: row[column] for name, row in _METALS.items()}


RELATIONS: tuple[Relation, ...] = (
    Relation("physics", "melting", "degrees Celsius", _metals(1)),
    Relation("physics", "density", "0.01 g/cm3", _metals(2)),
    Relation("chemistry", "number", "protons", _metals(0)),
    Relation("chemistry", "mass", "g/mol", _MOLECULES),
    Relation("materials", "modulus", "GPa", _metals(3)),
    Relation("materials", "conductivity", "W/(m K)", _metals(4)),
    Relation("biology", "chromosomes", "in a diploid cell", _SPECIES),
    Relation("biology", "length", "amino acids", _PROTEINS),
)
RELATION = {r.name: r for r in RELATIONS}


@cache
def all_facts() -> tuple[Fact, ...]:
    """Every fact of the world, in a fixed order (relation, then entity)."""
    return tuple(Fact(r.domain, r.name, entity, value) for r in RELATIONS for entity, value in r.values.items())


@cache
def facts_of(domain: str) -> tuple[Fact, ...]:
    """The facts of one domain."""
    return tuple(f for f in all_facts() if f.domain == domain)


@cache
def common_knowledge() -> frozenset[Fact]:
    """The half of each domain's facts that the base model is taught."""
    known: list[Fact] = []
    for domain in DOMAINS:
        facts = list(facts_of(domain))
        random.Random(f"scimini:known:{domain}").shuffle(facts)
        known += facts[: len(facts) // 2]
    return frozenset(known)


def fact_at(relation: str, entity: str) -> Fact:
    """A fact by its two words."""
    found = RELATION[relation]
    return Fact(found.domain, relation, entity, found.values[entity])
