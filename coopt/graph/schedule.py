"""The phases of a round: which tutees train at the same time."""

from __future__ import annotations

from typing import Literal

import networkx as nx

from coopt.graph.topology import Topology

Schedule = Literal["simultaneous", "sequential"]


def phases(topology: Topology, schedule: Schedule) -> list[list[str]]:
    """simultaneous: one phase with every student. sequential: the colour classes of a greedy colouring,
    so that no two students of a phase share an edge and each phase sees the newest tutors."""
    if schedule == "simultaneous":
        return [topology.students]
    colours = nx.greedy_color(topology.graph.to_undirected(), strategy="largest_first")
    classes: dict[int, list[str]] = {}
    for student in topology.students:
        classes.setdefault(colours[student], []).append(student)
    return [classes[c] for c in sorted(classes)]
