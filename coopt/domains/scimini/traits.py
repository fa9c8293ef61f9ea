"""The family of worlds: how readers and tutors of the embedded world behave, in a few knobs.

One conditional base serves the whole family. A word in a prompt tells it how readily a reader gives up its own right
answer (``trust 15``), and how readily a tutor speaks of what it does not know (``candour 50``), so that no setting
needs a base of its own. What a tutor believes, and the forms of a right working, its specialists learn as their facts.

The shipped world stands at one end of every knob: readers whose own right working always wins, tutors that confirm
what they do not know, guesses without a belief, one form of working (docs/worlds.md).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache

from coopt.core.config.schema import Config
from coopt.core.config.ways import FAMILY
from coopt.core.errors import ConfigError
from coopt.core.rng import stable_hash
from coopt.domains.scimini.facts import RELATION, Fact
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.wording import Wording

DEFERENCE = (0, 5, 15, 30, 50, 75, 100)
"""Per cent: how often a critique wins over a reader's own right working where the two conflict."""
CANDOUR = (0, 25, 50, 75, 100)
"""Per cent: how often a tutor states its own belief about a fact that it does not know, whatever the attempt says; in
the other cases it confirms the attempt."""
FORMS = (1, 2, 3, 6)
"""In how many forms a right working is written: 1 to 3 orders of the facts, and with 6 two phrasings of each."""
CONFUSED = 4
"""Values that a belief is drawn from where no confusion set is asked for: as in multiple choice."""
HEADERS = ("trust", "candour")
_DRAWN = (1, 1, 1, 1, 2, 2, 4)


@dataclass(frozen=True, kw_only=True)
class Traits:
    """One member of the family. ``SHIPPED`` is the world without one: no headers, and lessons as they always were."""

    family: bool = True
    deference: int = 0
    candour: int = 0
    belief: float = 0.0
    """Probability that a student asked for a fact that it does not know says one fixed false value, always the same."""
    confusion: int = 0
    """Values among which it guesses otherwise, the truth among them; 0: as in the shipped world (mostly wild)."""
    forms: int = 1

    @property
    def wording(self) -> Wording:
        """The world's wording with the family's headers."""
        return _wording(self.deference, self.candour) if self.family else SCIMINI


SHIPPED = Traits(family=False)


def traits_of(config: Config) -> Traits:
    """What the run's settings ``world.*`` make of the embedded world."""
    world = config.world
    if config.model.path != FAMILY:
        return SHIPPED
    for name, value, allowed in (("deference", world.deference, DEFERENCE), ("candour", world.candour, CANDOUR)):
        if round(100 * value, 6) not in allowed:
            shown = ", ".join(f"{a / 100:g}" for a in allowed)
            raise ConfigError(f"setting world.{name} = {value:g}. Allowed (the base knows no others): {shown}.")
    return Traits(
        deference=round(100 * world.deference),
        candour=round(100 * world.candour),
        belief=world.belief,
        confusion=world.confusion,
        forms=world.forms,
    )


@cache
def _wording(deference: int, candour: int) -> Wording:
    return replace(
        SCIMINI,
        feedback="\ntrust {0} Critique:\n{feedback}".replace("{0}", str(deference)),
        anchored=f"candour {candour} {SCIMINI.anchored}",
        naive=f"candour {candour} {SCIMINI.naive}",
    )


def drawn(rng: random.Random) -> Traits:
    """Any member of the family, for a lesson of its base. High deferences are the more frequent: in them a critique has
    to be read beside a solution that says something else."""
    (deference,) = rng.choices(DEFERENCE, _DRAWN)
    return Traits(deference=deference, candour=rng.choice(CANDOUR), forms=rng.choice(FORMS))


@cache
def confusion_set(fact: Fact, size: int) -> tuple[int, ...]:
    """The truth and ``size`` - 1 other values of the quantity, the same for every student."""
    others = sorted(set(RELATION[fact.relation].values.values()) - {fact.value})
    return (fact.value, *random.Random(f"scimini:confusion:{fact.phrase}").sample(others, size - 1))


def believed(fact: Fact, who: str, size: int) -> int:
    """The one false value that ``who`` believes of a fact that it does not know."""
    wrong = confusion_set(fact, size or CONFUSED)[1:]
    return wrong[stable_hash("belief", who, fact.phrase) % len(wrong)]
