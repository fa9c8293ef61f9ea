"""A picture of a topology as SVG or PNG, through networkx and matplotlib (imported only here, only when drawing)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np

from coopt.core.errors import TopologyError
from coopt.graph.topology import Topology
from coopt.reports.figure import RC, metadata
from coopt.reports.graphs.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
LARGEST = 60
"""Most nodes for a picture: beyond, names and arrows no longer fit."""
_ROW = 10  # most nodes in one row
_CIRCLE = 24  # most nodes of a regular graph on a circle; a larger circle is a black disc
_DPI = 200
_INK, _EDGE, _REVIEW = "#222222", "#555555", "#B2182B"
Place = dict[str, Any]
"""node -> array (x, y)"""


def draw(topology: Topology, path: Path, subtitle: str = "") -> None:
    """Write the picture; its suffix says the format. The same graph gives the same bytes.

    ``subtitle``: what stands under the title; empty: the description. Raises ``TopologyError`` for another suffix, a
    folder that does not exist, or more than ``LARGEST`` nodes.
    """
    if path.suffix not in FORMATS:
        raise TopologyError(f"--out {path}: a picture ends in {' or '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise TopologyError(f"--out {path}: no folder {path.parent}. Make it, or choose another.")
    if len(topology.nodes) > LARGEST:
        raise TopologyError(
            f"{topology.name}: {len(topology.nodes)} nodes are too many for a picture (at most {LARGEST}). Take fewer"
            " with --nodes, or see coopt topo show."
        )
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):  # type: ignore[arg-type]  # the stub wants literals as keys
        inches = _inches(topology)
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.add_subplot()
        letters = float(np.clip(2 * min(inches), 10, 18))
        _paint(topology, axes, letters)
        figure.suptitle(topology.name, fontsize=1.4 * letters, fontweight="bold", color=_INK)
        axes.set_title(textwrap.fill(subtitle or topology.description, 52), fontsize=letters, color=_INK)
        figure.savefig(path, dpi=_DPI, metadata=metadata(path))


def _inches(topology: Topology) -> tuple[float, float]:
    count = len(topology.nodes)
    if _flat(layout(topology)):
        return max(5.0, 1.4 * count), 3.2
    side = max(5.0, 1.5 + 1.5 * math.sqrt(count))
    return side, side


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


def _paint(topology: Topology, axes: Axes, letters: float) -> None:
    place, count = layout(topology), len(topology.nodes)
    node_size = float(np.clip(26000 / (count + 8), 420, 2000))
    longest = max(2, *map(len, topology.nodes)) if count > 1 else 2
    font = float(np.clip(1.45 * math.sqrt(node_size) / longest, 7, 15))
    _edges(topology, place, axes, node_size)
    for role, shape in (("student", "o"), ("critic", "s")):
        nodes = [n for n in topology.nodes if topology.nodes[n].role == role]
        colours = [COLOURS[topology.nodes[n].native] for n in nodes]
        nx.draw_networkx_nodes(topology.graph, place, nodes, node_size, colours, shape, edgecolors=_INK, ax=axes)
    nx.draw_networkx_labels(topology.graph, place, font_size=font, font_color=_INK, ax=axes, clip_on=False)
    axes.set_axis_off()
    if _flat(place):
        axes.set_xlim(-0.6, count - 0.4)
        axes.set_ylim(-0.6, 0.6)
    else:
        axes.margins(0.2 if count < 8 else 0.1)
        axes.set_aspect("equal")
    _legend(topology, axes, letters)


def _edges(topology: Topology, place: Place, axes: Axes, node_size: float) -> None:
    """Tutor edges straight, review edges dashed and bent; two opposite edges are one line with two heads."""

    def lines(pairs: Iterable[tuple[str, str]], **how: Any) -> None:
        given = sorted(pairs, key=lambda pair: topology.index[pair[0]])
        graph: nx.DiGraph[str] = nx.DiGraph(given)
        once = {frozenset(pair): pair for pair in given}.values()
        for both, head in ((True, "<|-|>"), (False, "-|>")):
            chosen = [(a, b) for a, b in once if graph.has_edge(b, a) is both]
            nx.draw_networkx_edges(
                graph,
                place,
                chosen,
                arrowstyle=head,
                arrowsize=10 + node_size / 200,
                node_size=node_size,
                ax=axes,
                **how,
            )

    lines(topology.graph.edges, edge_color=_EDGE, width=1.3)
    critics = {end for pair in topology.reviews for end in pair} <= set(topology.critics)
    bent = {"style": "dashed", "connectionstyle": "arc3,rad=0.22", "node_shape": "s" if critics else "o"}
    lines(topology.reviews, edge_color=_REVIEW, width=1.1, **bent)


def _flat(place: Place) -> bool:
    return all(y == 0 for _, y in place.values())


def _legend(topology: Topology, axes: Axes, letters: float) -> None:
    from matplotlib.lines import Line2D

    def dot(label: str, colour: str, shape: str) -> Line2D:
        return Line2D([], [], ls="", marker=shape, ms=11, mfc=colour, mec=_INK, label=label)

    natives = dict.fromkeys(topology.nodes[s].native for s in topology.students)
    marks = [dot(f"student, native to {d}", COLOURS[d], "o") for d in natives]
    for native in dict.fromkeys(topology.nodes[c].native for c in topology.critics):
        marks.append(dot(f"critic, native to {native}" if native else "critic (frozen)", COLOURS[native], "s"))
    if topology.edges:
        marks.append(Line2D([], [], color=_EDGE, lw=1.3, label="tutor → tutee"))
    if topology.reviews:
        marks.append(Line2D([], [], color=_REVIEW, lw=1.1, ls="--", label="reviewer → reviewed"))
    axes.legend(
        handles=marks,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        frameon=False,
        labelcolor=_INK,
        fontsize=letters,
    )
