"""A topology in the terminal: boxes and arrows where they stay readable, otherwise a matrix of who tutors whom.

netext draws lines, rings and small stars well. Where its edges have to bend they share channels and can no longer be
told apart (phart drops some even of a directed ring), so other graphs are shown as a matrix, which is exact for any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import networkx as nx
from rich import box
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from coopt.core.errors import TopologyError
from coopt.graph.topology import Topology
from coopt.reports.graphs.palette import domain_short, native_colours

if TYPE_CHECKING:
    from netext import ConsoleGraph

BOXES = 12
"""Most nodes for boxes and arrows."""
_ROW = 7  # lines from one row of boxes to the next
_LEAVES = 3  # most leaves of a star that keep their edges apart
_ARROW = 5  # columns between two boxes: an arrow with both heads

Rows = list[list[tuple[str, float]]]
"""Rows of boxes from top to bottom, each a node and its column, which may lie between two."""


def sketch(topology: Topology, width: int, when: str = "") -> RenderableType:
    """A rich renderable at most ``width`` columns wide. Raises ``TopologyError`` where the graph needs more.

    ``when``: which round this is, for a graph that changes; empty: the union of all.
    """
    rows = _rows(topology)
    step = max(len(line) for n in topology.nodes for line in _caption(topology, n).split("\n")) + 4 + _ARROW
    columns = 1 + max(x for row in rows for _, x in row) if rows else 0
    body = _boxes(topology, rows, step) if rows and columns * step - _ARROW <= width else _matrix(topology, width)
    return Group(body, *_notes(topology, when, boxes=not isinstance(body, Table)))


def _caption(topology: Topology, node: str) -> str:
    role = domain_short(topology.nodes[node].native) or topology.nodes[node].role
    return f"{node}\n{role}"


def _colours(topology: Topology) -> dict[str, str]:
    return native_colours(n.native for n in topology.nodes.values())


def _notes(topology: Topology, when: str, *, boxes: bool) -> Iterator[Text]:
    lines = ["an arrow runs from tutor to tutee"] if boxes else ["row tutors column: ●; reviews its feedback: ○"]
    if boxes and topology.reviews:
        lines.append(f"reviews: {', '.join(f'{a} -> {b}' for a, b in topology.review_pairs)}")
    if topology.varies:
        lines.append(f"edges change every round: this is {when or 'their union (one round: --round R)'}")
    if topology.hub:
        lines.append(f"hub: {next(iter(topology.nodes))}; the {topology.hub} student takes its place")
    return (Text(line, style="dim") for line in lines)


# -- boxes and arrows ----------------------------------------------------------------------------------


def _rows(topology: Topology) -> Rows:
    """Where the boxes of a line, a ring or a star stand; empty for any other graph."""
    skeleton: nx.Graph[str] = topology.graph.to_undirected()
    count, links = len(skeleton), skeleton.number_of_edges()
    if count > BOXES or not nx.is_connected(skeleton):
        return []
    degree = dict(skeleton.degree)
    hub = max(degree, key=lambda n: degree[n])
    if degree[hub] <= 2:
        ring = links == count > 2
        return [] if ring and count == 3 else _walk(topology, skeleton, ring=ring)
    if links == count - 1 == degree[hub] <= _LEAVES:
        leaves = [n for n in topology.nodes if n != hub]
        rows = [[hub], leaves] if topology.graph.out_degree(hub) else [leaves, [hub]]
        return [[(n, k + (count - 1 - len(row)) / 2) for k, n in enumerate(row)] for row in rows]
    return []


def _walk(topology: Topology, skeleton: nx.Graph[str], *, ring: bool) -> Rows:
    """Along the line or round the ring, folded into two rows."""
    ends = [n for n in topology.nodes if skeleton.degree[n] < 2]
    start = min(ends or topology.nodes, key=lambda n: (topology.graph.in_degree(n), topology.index[n]))
    order = list(nx.dfs_preorder_nodes(skeleton, start))
    if len(order) <= 4 and not ring:
        return [[(n, float(k)) for k, n in enumerate(order)]]
    half = (len(order) + 1) // 2
    top, bottom = order[:half], order[half:][::-1]
    if ring:
        gap = (half - 1) / (len(bottom) - 1)  # the lower row reaches as far as the upper
        below = [(n, gap * k) for k, n in enumerate(bottom)]
    else:
        below = [(n, float(half - len(bottom) + k)) for k, n in enumerate(bottom)]
    return [[(n, float(k)) for k, n in enumerate(top)], below]


def _boxes(topology: Topology, rows: Rows, step: int) -> ConsoleGraph:
    hook = sys.excepthook
    from netext import ConsoleGraph
    from netext.edge_rendering.modes import EdgeSegmentDrawingMode
    from netext.edge_routing.modes import EdgeRoutingMode
    from netext.layout_engines import StaticLayout
    from netext.properties.arrow_tips import ArrowTip

    sys.excepthook = hook  # netext installs rich's for the whole process

    def attributes(tutor: str, tutee: str) -> dict[str, Any]:
        both = topology.graph.has_edge(tutee, tutor)
        return {
            "$edge-routing-mode": EdgeRoutingMode.ORTHOGONAL,
            "$edge-segment-drawing-mode": EdgeSegmentDrawingMode.BOX,
            "$end-arrow-tip": ArrowTip.ARROW,
            "$start-arrow-tip": ArrowTip.ARROW if both else ArrowTip.NONE,
        }

    colours = _colours(topology)
    nodes: dict[Any, dict[str, Any]] = {}
    for y, row in enumerate(rows):
        for node, x in row:
            caption = Text(_caption(topology, node), justify="center")
            nodes[node] = {
                "$x": round(x * step),
                "$y": y * _ROW,
                "$content-renderer": lambda *_, text=caption: text,
                "$box-type": box.SQUARE if topology.nodes[node].role == "critic" else box.ROUNDED,
                "$style": Style(color=colours[topology.nodes[node].native]),
            }
    once = {frozenset(edge): edge for edge in reversed(topology.edges)}
    edges = [(a, b, attributes(a, b)) for a, b in reversed(once.values())]
    return ConsoleGraph(nodes=nodes, edges=edges, layout_engine=StaticLayout())


# -- the matrix ----------------------------------------------------------------------------------------


def _matrix(topology: Topology, width: int) -> Table:
    """Rows tutor (or review) columns; columns by number where names are long."""
    names = list(topology.nodes)
    heads = names if max(map(len, names)) <= 3 else [str(k + 1) for k in range(len(names))]
    labels = [_caption(topology, n).replace("\n", " ") for n in names]
    if heads is not names:
        labels = [f"{k} {label}" for k, label in zip(heads, labels, strict=True)]
    needed = max(map(len, labels)) + 2 + sum(len(h) + 1 for h in heads)
    if needed > width:
        raise TopologyError(
            f"{topology.name}: {len(names)} nodes need {needed} columns, here are {width}. Draw a picture (--out"
            " FILE.svg), or see coopt topo show."
        )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="center", no_wrap=True)
    colours = _colours(topology)
    for name, label in zip(names, labels, strict=True):
        colour = colours[topology.nodes[name].native]
        table.add_row(Text(label, style=colour), *(Text(_cell(topology, name, other)) for other in names))
    return table


def _cell(topology: Topology, name: str, other: str) -> str:
    tutors, reviews = topology.graph.has_edge(name, other), (name, other) in topology.reviews
    return f"{'●' * tutors}{'○' * reviews}" or "·"
