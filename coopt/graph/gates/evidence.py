"""What some gates see beside the scores: intervals of leads, and what the break-rate probe found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.statistics.crossed import estimate
from coopt.core.statistics.design import Design, make_design
from coopt.graph.gates.base import View
from coopt.graph.topology import Edge

Scored = Mapping[str, Any]
"""node -> result of ``score_policy`` on the validation split; nodes that are not scored are missing."""


class Effect(NamedTuple):
    """A rate of the break-rate probe beyond its control, and its standard error."""

    value: float
    error: float


Probed = Mapping[tuple[str, str], tuple[Effect, Effect]]
"""(edge, domain) -> fix and break; where nothing was probed, or no feedback was kept, there is none."""


class Effects:
    """What the probe found [edges, domains], as it is or drawn anew."""

    def __init__(self, probed: Probed, edges: Sequence[Edge], domains: Sequence[str]) -> None:
        nothing = (Effect(np.nan, 0.0), Effect(np.nan, 0.0))
        found = [[probed.get((str(e), d), nothing) for d in domains] for e in edges]
        self.values_EDKx = np.array(found, dtype=float).reshape(len(edges), len(domains), 2, 2)

    def seen_by(self, view: View, rng: np.random.Generator | None = None, widened: float = 1.0) -> View:
        """``view`` with fix and break; with ``rng`` as another probe might have found them, whose errors are so many
        times as large."""
        values_EDK, errors_EDK = self.values_EDKx[..., 0], widened * self.values_EDKx[..., 1]
        if rng is not None:
            values_EDK = values_EDK + errors_EDK * rng.standard_normal(errors_EDK.shape)
        return view._replace(fix_ED=values_EDK[..., 0], break_ED=values_EDK[..., 1])


def lead_halves(
    results: Scored, edges: Sequence[Edge], domains: Sequence[str], designs: Mapping[str, Design]
) -> Floats:
    """Half the 95 % interval of s_tutor - s_tutee, paired over questions [edges, domains]; NaN where an end is not
    scored."""
    found = np.full((len(edges), len(domains)), np.nan)
    for d, name in enumerate(domains):
        own = {n: np.mean(results[n]["domains"][name]["correct"], axis=1) for n in results}
        for k, edge in enumerate(edges):
            if edge.tutor in own and edge.tutee in own:
                lead_Q = own[edge.tutor] - own[edge.tutee]
                design = designs.get(name) or make_design([[()] * len(lead_Q)])
                found[k, d] = estimate(lead_Q[None], design).at_least().half_width()
    return found
