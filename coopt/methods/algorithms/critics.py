"""The graph of methods whose tutors are frozen critics: the run's own critics, or some that the method adds."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Literal

import networkx as nx

from coopt.core.names import same_file
from coopt.graph.topology import Edge, EdgeSettings, Node, Style, Topology


def with_critics(topology: Topology, count: int, style: Style | Literal[""] = "") -> Topology:
    """``topology`` with critics as its only tutors; edges between students are dropped.

    If critics of the run's graph tutor a student, they keep their edges, gates and reviews. Else ``count`` critics are
    added (``critic1``, ``critic2``, ...; a name that is taken is passed over), each of which tutors every student and
    reviews the others. They have no native domain: the run makes them strong in every one. Methods that add critics
    share them, as nodes of one name are one model.

    ``style``: of the critics' feedback; empty: as their edges or the run say.
    """
    own = [edge for edge in topology.edges if topology.nodes[edge.tutor].role == "critic"]
    names = [] if own else _free_names(topology, count)
    edges = own or [Edge(critic, student) for critic in names for student in topology.students]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from([*topology.graph.nodes, *names])
    graph.add_edges_from(edges)
    settings = {edge: topology.settings.get(edge, EdgeSettings()) for edge in edges}
    return replace(
        topology,
        graph=graph,
        nodes={**topology.nodes, **{name: Node(name, "critic") for name in names}},
        reviews=topology.reviews if own else frozenset(permutations(names, 2)),
        varies="",
        settings={e: s._replace(style=style or s.style) for e, s in settings.items()},
    )


def _free_names(topology: Topology, count: int) -> list[str]:
    candidates = (f"critic{k}" for k in range(1, count + len(topology.nodes) + 1))
    taken = set(map(same_file, topology.nodes))
    return [name for name in candidates if name not in taken][:count]
