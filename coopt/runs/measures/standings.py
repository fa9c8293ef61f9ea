"""Where each method stands: rank, mean score, dominated volume, headroom recovered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from coopt.core.names import INIT
from coopt.core.rng import generator
from coopt.core.statistics.crossed import joint_draws, ratio
from coopt.core.statistics.design import Array
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.statistics.ranking import Pair, Rank, ranks
from coopt.core.statistics.verdicts import Change
from coopt.runs.results import StandingCell

_VOLUME_DRAWS = 300
_LEAST_HEADROOM = 0.01  # a start this near to the best has nothing to recover


def standings(scores: Paired, differences: Mapping[Pair, Change]) -> list[StandingCell]:
    """The initial students and every method, best first. ``differences``: of every pair, corrected."""
    names = [INIT, *scores.methods]
    means = {n: scores.mean(n, scores.students) for n in names}
    places = ranks({n: m.value for n, m in means.items()}, differences)
    return [standing(scores, name, places[name]) for name in sorted(names, key=lambda n: -means[n].value)]


def standing(scores: Paired, who: str, place: Rank) -> StandingCell:
    """One method among others."""
    mean = scores.mean(who, scores.students)
    low, high = proportion_interval(mean)
    volume, spread = _volume(scores, who)
    return StandingCell(
        who=who,
        rank=place.rank,
        rank_first=place.first,
        rank_last=place.last,
        score=mean.value,
        low=low,
        high=high,
        hypervolume=volume,
        hypervolume_low=spread[0],
        hypervolume_high=spread[1],
        headroom=_headroom(scores, who) if who != INIT else None,
    )


def _volume(scores: Paired, who: str) -> tuple[float, tuple[float, float]]:
    """Share of the unit cube of scores (a side a domain) that some student dominates; reference point 0. It is a kind
    of maximum, which noise makes larger; the basic interval (twice the value minus the draws) takes that off again."""
    import moocore  # slow to import

    def volume(points_ND: Array) -> float:
        return float(moocore.hypervolume(points_ND, ref=[0.0] * points_ND.shape[1], maximise=True))

    cells = [(s, d) for s in scores.students for d in scores.domains]
    values = np.array([scores.laid_out(scores.per_question(who, s, d), d) for s, d in cells])
    shape = (len(scores.students), len(scores.domains))
    found = volume(scores.design().mean(values).mean(axis=1).reshape(shape))
    drawn = np.clip(joint_draws(values, scores.design(), _VOLUME_DRAWS, generator("volume")), 0, 1)
    low, high = np.percentile([volume(points.reshape(shape)) for points in drawn], [2.5, 97.5])
    found = min(found, 1.0)  # sums of ones round to more
    return found, (min(float(max(2 * found - high, 0.0)), found), max(float(min(2 * found - low, 1.0)), found))


def _headroom(scores: Paired, who: str) -> tuple[float, float, float] | None:
    """Of what students lacked at the start to the best start of each domain, the share that they gained, with its
    interval: above 1 they passed it. None where nobody lacked anything."""
    gained, lacked = [], []
    for d in scores.domains:
        starts = {s: scores.per_question(INIT, s, d) for s in scores.students}
        best = max(starts, key=lambda s: float(starts[s].mean()))
        for s, start in starts.items():
            if starts[best].mean() - start.mean() > _LEAST_HEADROOM:
                gained.append(scores.laid_out(scores.per_question(who, s, d) - start, d))
                lacked.append(scores.laid_out(starts[best] - start, d))
    found = ratio(np.sum(gained, axis=0), np.sum(lacked, axis=0), scores.design()) if lacked else None
    return (found.value, found.low, found.high) if found else None
