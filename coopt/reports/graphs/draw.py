"""A picture of a topology as SVG or PNG."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import altair as alt
import numpy as np

from coopt.core.arrays import Bools, Floats
from coopt.core.errors import TopologyError
from coopt.graph.topology import Node, Topology
from coopt.reports.charts import Chart, Row, chart_of
from coopt.reports.figure import save
from coopt.reports.graphs.places import LARGEST, GraphPicture

FORMATS = (".svg", ".png")
_BEND = 0.22  # how far a review edge swings out, in lengths of it
_PARTS = 24  # straight pieces of a bent edge
_LINES = {"tutor → tutee": ("#555555", [1, 0]), "reviewer → reviewed": ("#B2182B", [5, 3])}
_TUTORS, _REVIEWS = _LINES


def draw(topology: Topology, path: Path, subtitle: str = "") -> None:
    """Write the picture; its suffix says the format. The same graph gives the same bytes.

    ``subtitle``: what stands under the title; empty: the description. Raises ``TopologyError`` for another suffix, a
    folder that does not exist, or more than ``LARGEST`` nodes.
    """
    if path.suffix not in FORMATS:
        raise TopologyError(f"--out {path}: a picture ends in {' or '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise TopologyError(f"--out {path}: no folder {path.parent}. Make it, or choose another.")
    count = len(topology.nodes)
    if count > LARGEST:
        raise TopologyError(
            f"{topology.name}: {count} nodes are too many for a picture (at most {LARGEST}). Take fewer"
            " with --nodes, or see coopt topo show."
        )
    save(_chart(topology, subtitle or topology.description), path)


def _chart(topology: Topology, subtitle: str) -> Chart:
    count = len(topology.nodes)
    picture = GraphPicture(topology, max(360, round(108 * (1 + math.sqrt(count)))))
    if picture.flat:
        picture = GraphPicture(topology, max(360, 100 * count))
    letters = float(np.clip(picture.height / 25, 11, 18))
    legend = partial(
        alt.Legend, orient="bottom", title=None, columns=2, symbolOpacity=1, labelFontSize=letters,
        symbolSize=letters**2,
    )  # fmt: skip
    title = alt.Title(
        topology.name, subtitle=textwrap.wrap(subtitle, 52), fontSize=1.4 * letters, subtitleFontSize=letters,
        subtitlePadding=6,
    )  # fmt: skip
    layers = [*_edges(picture, legend(symbolType="stroke")), *_nodes(picture, legend())]
    return alt.layer(*layers).properties(title=title, width=picture.width, height=picture.height)


def _nodes(picture: GraphPicture, legend: alt.Legend) -> list[alt.Chart]:
    nodes = picture.topology.nodes
    rows = [row | {"label": _label(nodes[row["node"]])} for row in picture.rows()]
    looks = {r["label"]: (r["colour"], r["shape"]) for r in sorted(rows, key=lambda r: r["role"], reverse=True)}
    fills, shapes = zip(*looks.values(), strict=True)
    names = list(looks)
    marks = _at(picture, rows).mark_point(size=4 * picture.radius**2, filled=True, opacity=1, style="node")
    longest = max(2, *map(len, nodes)) if len(nodes) > 1 else 2
    font = float(np.clip(2.9 * picture.radius / longest, 7, 15))
    return [
        marks.encode(
            fill=alt.Fill("label:N", scale=alt.Scale(domain=names, range=list(fills)), legend=legend),
            shape=alt.Shape("label:N", scale=alt.Scale(domain=names, range=list(shapes)), legend=legend),
        ),
        _at(picture, rows).mark_text(style="node-name", fontSize=font).encode(text="node:N"),
    ]


def _label(node: Node) -> str:
    if node.role == "critic" and not node.native:
        return "critic (frozen)"
    return f"{node.role}, native to {node.native}"


def _edges(picture: GraphPicture, legend: alt.Legend) -> list[alt.Chart]:
    """Tutor edges straight, review edges dashed and bent; two opposite edges are one line with two heads."""
    head = float(np.clip(picture.radius / 2, 8, 12))
    lines: list[Row] = []
    heads: list[Row] = []
    for kind, pairs in ((_TUTORS, picture.topology.edges), (_REVIEWS, picture.topology.reviews)):
        for pair, both in _once(picture.topology, pairs).items():
            path = _path(picture, pair, _BEND * (kind == _REVIEWS), (0.45 * head * both, 0.45 * head))
            ends = [path[-2:], path[1::-1]] if both else [path[-2:]]
            heads += [
                {"colour": _LINES[kind][0], "x": x, "y": y, "angle": _angle(x - u, y - v)} for (u, v), (x, y) in ends
            ]
            line = f"{kind} {len(lines)}"
            lines += [{"kind": kind, "line": line, "k": k, "x": x, "y": y} for k, (x, y) in enumerate(path)]
    kinds = [k for k in _LINES if any(r["kind"] == k for r in lines)]
    if not kinds:
        return []
    colours, dashes = ([_LINES[k][n] for k in kinds] for n in (0, 1))
    stroke = alt.Stroke("kind:N", scale=alt.Scale(domain=kinds, range=colours), legend=legend)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=kinds, range=dashes), legend=legend)
    drawn = _at(picture, lines).mark_line(strokeWidth=1.3)
    tips = _at(picture, heads).mark_point(shape="triangle", size=head**2, filled=True, opacity=1)
    return [
        drawn.encode(stroke=stroke, strokeDash=dash, detail="line:N", order="k:Q"),
        tips.encode(color=alt.Color("colour:N", scale=None), angle=alt.Angle("angle:Q", scale=None)),
    ]


def _once(topology: Topology, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Each two nodes once, in the order of the first, with whether both ways are there."""
    given = sorted(map(tuple, pairs), key=lambda pair: (topology.index[pair[0]], topology.index[pair[1]]))
    return {(a, b): (b, a) in given for a, b in given if (b, a) not in given or topology.index[a] < topology.index[b]}


def _path(
    picture: GraphPicture, pair: tuple[str, str], bend: float, gaps: tuple[float, float]
) -> list[tuple[float, float]]:
    """From the border of one node to that of the other, with a gap at each, swung away from the picture's middle."""
    start, end = (np.array(picture.place[n]) for n in pair)
    middle, along = (start + end) / 2, end - start
    out = np.array([along[1], -along[0]]) * bend
    if out @ (middle - np.mean(list(picture.place.values()), axis=0)) < 0:
        out = -out
    t = np.linspace(0, 1, 1001)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * (middle + out) + t**2 * end
    free = np.all([_beside(picture, n, curve, gap) for n, gap in zip(pair, gaps, strict=True)], axis=0)
    kept = curve[free]
    chosen = kept[np.linspace(0, len(kept) - 1, _PARTS + 1 if bend else 2).round().astype(int)]
    return [(round(float(x), 2), round(float(y), 2)) for x, y in chosen]


def _beside(picture: GraphPicture, node: str, points: Floats, gap: float) -> Bools:
    """Which points lie outside a node's circle or square."""
    away = np.abs(points - np.array(picture.place[node]))
    distance: Floats = away.max(axis=1) if picture.topology.nodes[node].role == "critic" else np.hypot(*away.T)
    return distance > picture.radius + gap


def _angle(dx: float, dy: float) -> float:
    """How far an upright triangle is turned."""
    return math.degrees(math.atan2(dy, dx)) + 90


def _at(picture: GraphPicture, rows: list[Row]) -> alt.Chart:
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, picture.width]), axis=None)
    return chart_of(rows).encode(x, alt.Y("y:Q", scale=alt.Scale(domain=[picture.height, 0]), axis=None))
