"""A gate decides for every edge and round whether the tutor may speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from coopt.graph.topology import Edge, Topology

Scores = Mapping[str, Mapping[str, float]]
"""student -> domain -> validation accuracy in [0, 1]"""


class Decision(NamedTuple):
    """Open or closed, why, and the number that decided (None where no number did)."""

    open: bool
    reason: str
    gap: float | None = None
    threshold: float | None = None


class Gate(Protocol):
    """A gate sees scores and the graph, nothing else, and is a pure function of them."""

    name: str

    def decide(self, edge: Edge, scores: Scores, topology: Topology) -> Decision:
        """The decision for one edge in the coming round."""
        ...
