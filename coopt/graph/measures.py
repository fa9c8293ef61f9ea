"""The numbers of a graph in one record: sizes, degrees, distances, and how fast it mixes (``coopt.graph.mixing``)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import networkx as nx
import numpy as np

from coopt.graph.mixing import DENSE_LIMIT, GAMMA, Gap, effective_neighbours, period, spectral_gap, students_graph
from coopt.graph.topology import Topology


class Spread(NamedTuple):
    """Smallest, mean and largest of a count."""

    min: int
    mean: float
    max: int

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min} to {self.max}, mean {self.mean:.3g}"


@dataclass(frozen=True)
class GraphMeasures:
    """What can be said of a topology before anything is trained. Degrees and edges of a graph that changes every
    round are those of its union; ``edges_a_round`` says how many there are at a time."""

    students: int
    critics: int
    edges: int
    """Tutor edges, those of critics included."""
    edges_a_round: int
    reviews: int
    tutors: Spread
    """In-degree: tutors of a student, critics included."""
    tutees: Spread
    """Out-degree: tutees of a student or critic."""
    connected: bool
    """Does everything that a student says reach every student in the end (strongly connected)?"""
    diameter: int | None
    """Longest shortest path between students, in edges; None: not connected, or over ``DENSE_LIMIT`` students."""
    period: int | None
    """Rounds until the edges repeat; None: never."""
    gap: Gap
    gamma: float
    effective_neighbours: float | None
    """n_W(gamma), from 1 (alone) to the number of students; None: over ``DENSE_LIMIT`` students."""


def measure(topology: Topology, gamma: float = GAMMA) -> GraphMeasures:
    """All measures of a topology. Seconds for a thousand students, at most a minute or so for 2,000."""
    graph = students_graph(topology)
    connected = nx.is_strongly_connected(graph)
    return GraphMeasures(
        students=len(topology.students),
        critics=len(topology.critics),
        edges=len(topology.edges),
        edges_a_round=len(topology.in_round(1, 0).edges),
        reviews=len(topology.reviews),
        tutors=_spread(topology.graph.in_degree(s) for s in topology.students),
        tutees=_spread(topology.graph.out_degree(n) for n in topology.nodes),
        connected=connected,
        diameter=nx.diameter(graph) if connected and len(graph) <= DENSE_LIMIT else None,
        period=period(topology),
        gap=spectral_gap(topology),
        gamma=gamma,
        effective_neighbours=effective_neighbours(topology, gamma),
    )


def _spread(counts: Iterable[int]) -> Spread:
    values = list(counts)
    return Spread(min(values), float(np.mean(values)), max(values))
