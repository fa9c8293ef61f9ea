"""The run's graph as a chart: nodes where ``graphs.places`` puts them, an arrow for every tutor edge, drawn by what
its gate said in the round that the page's slider shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from coopt.graph.topology import Edge, Topology
from coopt.reports.charts import Chart
from coopt.reports.graphs.places import LARGEST, WIDTH, GraphPicture
from coopt.runs.results import GateCell
from coopt.runs.run import Run

_DENSE = 100  # arrows from which they are drawn so thin that one sees through them


def arrow(picture: GraphPicture, tutor: str, tutee: str) -> dict[str, float]:
    """Where the arrow of an edge begins and ends; two opposite ones lie side by side."""
    (x, y), (x2, y2) = picture.place[tutor], picture.place[tutee]
    length = math.hypot(x2 - x, y2 - y)
    if length < 1e-9:  # a student that is its own tutor
        return {"x": x - picture.radius, "y": y, "x2": x, "y2": y - picture.radius, "angle": 135.0}
    ux, uy = (x2 - x) / length, (y2 - y) / length
    aside = 5.0 if picture.topology.graph.has_edge(tutee, tutor) else 0.0
    sx, sy = -uy * aside, ux * aside
    return {
        "x": x + ux * picture.radius + sx,
        "y": y + uy * picture.radius + sy,
        "x2": x2 - ux * (picture.radius + 5) + sx,
        "y2": y2 - uy * (picture.radius + 5) + sy,
        "angle": math.degrees(math.atan2(uy, ux)) + 90,
    }


def drawn_graph(run: Run, cells: Sequence[GateCell]) -> Topology:
    """The run's graph with the critics and edges that its methods add."""
    cast = run.cast
    edges = [Edge.parse(c.edge) for c in cells]
    graph = cast.graph.copy()
    graph.add_edges_from((a, b) for a, b in edges if a != b and a in cast.nodes and b in cast.nodes)
    return replace(cast, graph=graph)


def gate_rows(cells: Sequence[GateCell], topology: Topology, domains: Sequence[str]) -> list[dict[str, Any]]:
    """What the page shows of each decision, with the arrow's place. ``state``: open (in some domains), closed."""
    picture = GraphPicture(topology) if _fits(topology) else None
    rows = []
    for cell in cells:
        tutor, tutee = Edge.parse(cell.edge)
        partly = cell.open and cell.domains and len(cell.domains) < len(domains)
        drawn = picture is not None and tutor in picture.place and tutee in picture.place
        rows.append(
            {
                "method": cell.method,
                "seed": cell.seed,
                "round": cell.round,
                "edge": cell.edge,
                "state": f"open: {', '.join(cell.domains)}" if partly else "open" if cell.open else "closed",
                "reason": cell.reason,
                "gap": cell.gap,
                "low": cell.gap_low,
                "high": cell.gap_high,
                "flip": cell.flip,
                **(arrow(picture, tutor, tutee) if picture and drawn else {}),
            }
        )
    return rows


def graph_chart(topology: Topology) -> Chart | None:
    """The chart; its data ``edges`` is what ``gate_rows`` gave, filtered by the page. None: too many nodes to draw."""
    if not _fits(topology):
        return None
    picture = GraphPicture(topology)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, WIDTH]), axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[picture.height, 0]), axis=None)
    closed = "datum.state == 'closed'"
    tips = [alt.Tooltip(f"{k}:N") for k in ("edge", "state", "reason")]
    tips += [alt.Tooltip("gap:Q", format=".3f"), alt.Tooltip("flip:Q", title="P(flip)", format=".2f")]
    arrows = alt.Chart(alt.NamedData("edges")).encode(x, y, tooltip=tips)
    dense = topology.graph.number_of_edges() > _DENSE
    thin: dict[str, Any] = {"strokeWidth": 0.8, "opacity": 0.4} if dense else {}
    lines = [
        arrows.transform_filter(f"isValid(datum.x) && {test}")
        .mark_rule(style=style, **thin)
        .encode(x2="x2:Q", y2="y2:Q")
        for test, style in ((closed, "closed"), (f"!({closed})", "open"))
    ]
    heads = [
        alt.Chart(alt.NamedData("edges"))
        .transform_filter(f"isValid(datum.x) && {test}")
        .mark_point(shape="triangle", size=15 if dense else 90, filled=True, opacity=1, style=f"{style}-head")
        .encode(alt.X("x2:Q", axis=None), alt.Y("y2:Q", axis=None), alt.Angle("angle:Q", scale=None), tooltip=tips)
        for test, style in ((closed, "closed"), (f"!({closed})", "open"))
    ]
    nodes = alt.Chart(alt.InlineData(values=picture.rows())).encode(x, y, tooltip=["node:N", "role:N", "native:N"])
    area = math.pi * picture.radius**2
    shapes = nodes.mark_point(size=area, filled=True, opacity=1, style="node").encode(
        fill=alt.Fill("colour:N", scale=None), shape=alt.Shape("shape:N", scale=None)
    )
    names = nodes.mark_text(style="node-name", fontSize=max(9, picture.radius * 0.6)).encode(text="node:N")
    return alt.layer(*lines, *heads, shapes, names).properties(
        width=WIDTH, height=picture.height, description=f"The graph {topology.name}: its nodes and tutor edges."
    )


def _fits(topology: Topology) -> bool:
    return len(topology.nodes) <= LARGEST
