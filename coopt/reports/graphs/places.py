"""Where the nodes of a graph stand in a picture, on the page and in a file."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np

from coopt.graph.topology import Topology
from coopt.reports.graphs.palette import native_colours

LARGEST = 60
"""Most nodes for a picture: beyond, names and arrows no longer fit."""
WIDTH = 520
_ROW = 10  # most nodes in one row
_CIRCLE = 24  # most nodes of a regular graph on a circle; a larger circle is a black disc
_MARGIN = 34
_FLAT = 130  # height of a graph in a row
Place = dict[str, Any]
"""node -> array (x, y)"""
Pixels = dict[str, tuple[float, float]]


class GraphPicture:
    """Places in pixels, the origin at the top left."""

    def __init__(self, topology: Topology, width: float = WIDTH) -> None:
        self.topology = topology
        self.width = width
        place = layout(topology)
        xs, ys = (np.array([p[k] for p in place.values()]) for k in (0, 1))
        wide, high = np.ptp(xs), np.ptp(ys)
        self.flat = bool(high < 1e-6)
        scale = (width - 2 * _MARGIN) / max(wide, high, 1e-9)
        self.height = _FLAT if self.flat else round(high * scale) + 2 * _MARGIN
        left = (width - wide * scale) / 2
        self.place: Pixels = {
            n: (left + (x - xs.min()) * scale, self.height / 2 - (y - (ys.max() + ys.min()) / 2) * scale)
            for n, (x, y) in place.items()
        }
        self.radius = float(np.clip(110 / math.sqrt(len(place)), 11, 24))

    def rows(self) -> list[dict[str, Any]]:
        """A row a node: what is drawn of it."""
        colours = native_colours(n.native for n in self.topology.nodes.values())
        return [
            {
                "node": n.id,
                "role": n.role,
                "native": n.native or "–",
                "colour": colours[n.native],
                "shape": "circle" if n.role == "student" else "square",
                "x": self.place[n.id][0],
                "y": self.place[n.id][1],
            }
            for n in self.topology.nodes.values()
        ]


def layout(topology: Topology) -> Place:
    """node -> position (x, y). Nodes in a row on a line, the hub of a star in the middle, critics around the students,
    regular graphs on a circle, others by Kamada and Kawai's springs (unconnected ones by repulsion)."""
    graph: nx.Graph[str] = topology.graph.to_undirected()
    graph.add_edges_from(topology.reviews)
    nodes = list(topology.nodes)
    degrees = dict(graph.degree)
    hub = max(degrees, key=lambda n: degrees[n])
    if nx.is_connected(graph) and degrees[hub] <= 2 and graph.number_of_edges() < len(nodes) <= _ROW:
        end = next(n for n in nodes if degrees[n] < 2)
        return {n: np.array([float(k), 0.0]) for k, n in enumerate(nx.dfs_preorder_nodes(graph, end))}
    if topology.critics and len(topology.critics) >= len(topology.students):
        inner, outer = topology.students, topology.critics
        return {**_circle(inner, 0.45 if len(inner) > 1 else 0.0, 0.0), **_circle(outer, 1.0, math.pi / 2)}
    if graph.number_of_edges() == len(nodes) - 1 == degrees[hub] and len(nodes) > 3:
        return {hub: np.zeros(2), **_circle([n for n in nodes if n != hub], 1.0, math.pi / 2)}
    if len(set(degrees.values())) == 1 and len(nodes) <= _CIRCLE:
        return _circle(nodes, 1.0, math.pi / 2 + (math.pi / 4 if len(nodes) == 4 else 0.0))
    if nx.is_connected(graph):
        return nx.kamada_kawai_layout(graph, pos=_circle(nodes, 1.0, math.pi / 2))
    return nx.spring_layout(graph, seed=0, k=2 / math.sqrt(len(nodes)))


def _circle(nodes: list[str], radius: float, start: float) -> Place:
    """Clockwise from ``start`` (an angle in radians)."""
    turns = start - 2 * np.pi * np.arange(len(nodes)) / len(nodes)
    return {n: radius * np.array([math.cos(t), math.sin(t)]) for n, t in zip(nodes, turns, strict=True)}
