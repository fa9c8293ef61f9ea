"""The cognizance gate (paper 3.2, Eq. 2), for any number of students and domains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from coopt.gates.base import Decision, Scores
from coopt.graph.topology import Edge, Topology

Scope = Literal["edge", "neighbourhood", "graph"]
# Scores are ratios of counts: 0.3 - 0.1 <= 0.2 must not hang on the last bit of a float.
_ROUNDING = 1e-9


def cognizance_gap(tutor: str, peers: Iterable[str], scores: Scores) -> float | None:
    """Sum over domains of (s*_d - s_d) / s*_d, where s*_d is the best score among ``peers``.

    A domain with s*_d = 0 contributes 0; None if that is so in every domain (nothing can be told).
    """
    peers = list(peers)
    shortfalls = []
    for domain, score in scores[tutor].items():
        best = max(scores[p][domain] for p in peers)
        if best > 0:
            shortfalls.append((best - score) / best)
    return sum(shortfalls) if shortfalls else None


class Cognizance:
    """Open if the tutor's gap is at most tau.

    Scope ``edge`` measures the tutor against the edge's two ends with threshold tau; ``neighbourhood``
    (tutee and all its tutors) and ``graph`` (all students) with tau |D| / 2. All three are the paper's rule
    at two students and two domains.
    """

    name = "cognizance"

    def __init__(self, tau: float = 0.2, scope: Scope = "edge") -> None:
        self.tau = tau
        self.scope = scope

    def decide(self, edge: Edge, scores: Scores, topology: Topology) -> Decision:
        gap = cognizance_gap(edge.tutor, self._peers(edge, topology), scores)
        threshold = self.tau if self.scope == "edge" else self.tau * len(scores[edge.tutor]) / 2
        if gap is None:
            return Decision(False, "no_signal", None, threshold)
        is_open = gap <= threshold + _ROUNDING
        return Decision(is_open, "cognizant" if is_open else "incognizant", gap, threshold)

    def _peers(self, edge: Edge, topology: Topology) -> list[str]:
        if self.scope == "edge":
            return [edge.tutor, edge.tutee]
        if self.scope == "neighbourhood":
            return [edge.tutee, *topology.tutors_of(edge.tutee)]
        return topology.students
