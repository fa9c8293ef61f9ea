"""When a difference may be called one, or called none: Holm over the table, no seed against it, questions enough."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Literal, NamedTuple, TypeVar

from coopt.core.statistics.crossed import ALPHA, Estimate, apart, estimate
from coopt.core.statistics.design import Array, Design
from coopt.core.statistics.significance import holm

Verdict = Literal["improves", "worse", "equivalent", "no difference shown", "too few questions"]
NONE_SHOWN: Verdict = "no difference shown"
FEW: Verdict = "too few questions"
LEAST_QUESTIONS = 20
"""With fewer the interval is no 95 % interval (docs/statistics.md)."""
MARGIN = 0.01
"""One point: what two methods may differ by and count as equivalent, and what a student may lose of a domain."""
POWER = 0.8
SURE_CLUSTERS = 2
"""Nothing is shown to be small by fewer clusters than that having moved: if none of n did, up to 3 in n may."""


class Change(NamedTuple):
    """A difference with its 95 % interval and that of every seed. ``p``: of no difference; ``detectable``: the smallest
    one that would be shown in four of five repeats. Both know of the other cells once they are ``corrected``."""

    value: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    verdict: Verdict
    p: float
    detectable: float
    found: Estimate


def change(differences_SQ: Array, design: Design) -> Change:
    """From differences [seeds, questions]: the seeds answered the same questions."""
    return _alone(estimate(differences_SQ, design).at_least())


def change_apart(first_SQ: Array, second_TQ: Array, design: Design) -> Change:
    """First minus second, of seeds that have nothing to do with one another."""
    return _alone(apart(first_SQ, second_TQ, design).at_least())


def _alone(found: Estimate) -> Change:
    p = found.p_value()
    low, high = (min(max(x, -1.0), 1.0) for x in found.interval())  # of shares, which differ by no more
    return Change(found.value, low, high, found.per_seed, verdict(found, p), p, _detectable(found, 1), found)


def corrected(changes: Sequence[Change]) -> list[Change]:
    """The changes of one table, p-values adjusted by Holm over all of them and verdicts by these."""
    adjusted = holm([c.p for c in changes])
    return [
        c._replace(p=p, verdict=verdict(c.found, p), detectable=_detectable(c.found, len(changes)))
        for c, p in zip(changes, adjusted, strict=True)
    ]


Key = TypeVar("Key", bound=Hashable)


def corrected_by_key(changes: Mapping[Key, Change]) -> dict[Key, Change]:
    """The same, by name."""
    return dict(zip(changes, corrected(list(changes.values())), strict=True))


def or_equivalent(changes: Mapping[Key, Change], margin: float) -> dict[Key, Change]:
    """``equivalent`` where no difference is shown, and it is shown to be less than ``margin`` (two one-sided tests,
    Holm over all of them)."""
    within = holm([_p_within(c.found, margin) for c in changes.values()])
    return {
        key: c._replace(verdict="equivalent") if c.verdict == NONE_SHOWN and p < ALPHA else c
        for (key, c), p in zip(changes.items(), within, strict=True)
    }


def verdict(found: Estimate, p: float) -> Verdict:
    """``improves`` or ``worse`` if the adjusted ``p`` is below 0.05 and every seed has that sign."""
    if found.questions < LEAST_QUESTIONS:
        return FEW
    if p < ALPHA and all(x > 0 for x in (found.value, *found.per_seed)):
        return "improves"
    if p < ALPHA and all(x < 0 for x in (found.value, *found.per_seed)):
        return "worse"
    return NONE_SHOWN


def _p_within(found: Estimate, margin: float) -> float:
    """p of a difference of ``margin`` or more, either way (two one-sided tests; Schuirmann 1987)."""
    sure = found.at_least(SURE_CLUSTERS)
    return max(sure.p_above(-margin), sure.p_below(margin))


def _detectable(found: Estimate, family: int) -> float:
    """The smallest true difference that would be shown with probability ``POWER``, as the first of its table."""
    return found.half_width(ALPHA / family) + found.half_width(2 * (1 - POWER))
