"""Where each method stands: rank, mean score, dominated volume, headroom recovered."""

from __future__ import annotations

import numpy as np

from coopt.core.names import INIT
from coopt.core.statistics.bootstrap import Array, interval, interval_of_ratio
from coopt.core.statistics.paired import Paired
from coopt.core.statistics.ranking import ranks
from coopt.runs.results import StandingCell

_VOLUME_DRAWS = 300
_LEAST_HEADROOM = 0.01  # a start this near to the best has nothing to recover


def standings(scores: Paired) -> list[StandingCell]:
    """The initial students and every method, best first."""
    names = [INIT, *scores.methods]
    draws = {n: np.mean([scores.drawn_mean(n, s) for s in scores.students], axis=0) for n in names}
    means = {n: scores.mean(n, scores.students) for n in names}
    values = {n: mean.value for n, mean in means.items()}
    places = ranks(values, draws, {n: dict(enumerate(mean.per_seed)) for n, mean in means.items()})
    cells = []
    for name in sorted(names, key=lambda n: (places[n].rank, -values[n])):
        low, high = interval(draws[name])
        volume, spread = _volume(scores, name)
        cells.append(
            StandingCell(
                who=name,
                rank=places[name].rank,
                rank_low=places[name].low,
                rank_high=places[name].high,
                score=values[name],
                low=low,
                high=high,
                hypervolume=volume,
                hypervolume_low=spread[0],
                hypervolume_high=spread[1],
                headroom=_headroom(scores, name) if name != INIT else None,
            )
        )
    return cells


def _volume(scores: Paired, who: str) -> tuple[float, tuple[float, float]]:
    """Share of the unit cube of scores (a side a domain) that some student dominates; reference point 0."""
    import moocore  # slow to import

    def volume(points_ND: Array) -> float:
        return float(moocore.hypervolume(points_ND, ref=[0.0] * points_ND.shape[1], maximise=True))

    domains = scores.domains
    points = np.array([[scores.per_question(who, s, d).mean() for d in domains] for s in scores.students])
    drawn = np.array([[scores.drawn(who, s, d)[:_VOLUME_DRAWS] for d in domains] for s in scores.students])
    return volume(points), interval(np.array([volume(drawn[..., b]) for b in range(drawn.shape[-1])]))


def _headroom(scores: Paired, who: str) -> tuple[float, float, float] | None:
    """Of what students lacked at the start to the best start of each domain, the share that they gained, with its
    interval: above 1 they passed it. None where nobody lacked anything."""
    gained, lacked = [], []
    gained_B, lacked_B = [], []
    for d in scores.domains:
        starts = {s: float(scores.per_question(INIT, s, d).mean()) for s in scores.students}
        best = max(starts, key=lambda s: starts[s])
        for s in scores.students:
            if starts[best] - starts[s] > _LEAST_HEADROOM:
                gained.append(float(scores.per_question(who, s, d).mean()) - starts[s])
                lacked.append(starts[best] - starts[s])
                gained_B.append(scores.drawn(who, s, d) - scores.drawn(INIT, s, d))
                lacked_B.append(scores.drawn(INIT, best, d) - scores.drawn(INIT, s, d))
    if not lacked:
        return None
    span = interval_of_ratio(np.sum(gained_B, axis=0), np.sum(lacked_B, axis=0))
    return (sum(gained) / sum(lacked), *span) if span else None
