"""How a model's answers look: are its wrong ones the same, and is its right working that of the worked solution?"""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

from coopt.domains.base import Domain
from coopt.domains.scoring import OPEN
from coopt.methods.rollouts import RolloutGroup


class Confusion(NamedTuple):
    """Of a question's wrong answers that could be read: how many, how many are the most frequent one, and how many
    pairs there are of which so many agree. The first is large by chance where answers are few; the pairs are not."""

    wrong: int
    most: int
    pairs: int
    alike: int


def confusion(domain: Domain, group: RolloutGroup) -> Confusion:
    """What is confused in one question."""
    readings = [domain.read(y.text, group.item) for y in group.rollouts if not y.correct]
    counts = Counter(r.value for r in readings if r.read)
    wrong = counts.total()
    return Confusion(wrong, max(counts.values(), default=0), _pairs(wrong), sum(map(_pairs, counts.values())))


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


def overlaps(group: RolloutGroup) -> list[float]:
    """Of each right response with a working: how much of its words, in their order, is the worked solution's (the ratio
    of Ratcliff and Obershelp, 0 to 1). Nothing where there is no worked solution."""
    reference = _working(group.item.solution or "")
    own = [_working(y.shown) for y in group.rollouts if y.correct]
    return [SequenceMatcher(None, reference, words, autojunk=False).ratio() for words in own if words and reference]


def _working(text: str) -> list[str]:
    """The words before the answer."""
    return text.rpartition(OPEN)[0].split() if OPEN in text else text.split()
