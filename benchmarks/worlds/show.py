"""A map as a table, as the shares in which a claim holds, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt

from benchmarks.figures.figure import listed
from benchmarks.worlds.map import Contrast, Found, Plan
from coopt.core.errors import ConfigError
from coopt.core.tables.cells import signed, span
from coopt.core.tables.table import Table
from coopt.reports.charts import Row, chart_of
from coopt.reports.figure import save

_SIZE = 70


def map_tables(plan: Plan, found: Sequence[Found]) -> list[Table]:
    """For each contrast a table with a row for each value of the second knob, and one of the regions."""
    tables = [_grid(plan, c, [f for f in found if f.contrast == c]) for c in plan.contrasts]
    rows = []
    for c in plan.contrasts:
        own = [f for f in found if f.contrast == c]
        box = [f for f in own if plan.natural(f.place)]
        rows.append([c.name, c.expected, *(_share(own, s) for s in ("above", "below")),
                     *(_share(box, s) for s in ("above", "below"))])  # fmt: skip
    columns = ["contrast", "expected", "above 0", "below 0", "natural box: above 0", "below 0 there"]
    return [
        *tables,
        Table(f"{plan.suite}: where it holds", columns, rows, ["cells whose 95 % interval lies there, of those run"]),
    ]


def _share(found: Sequence[Found], sign: str) -> str:
    return f"{sum(f.sign == sign for f in found)} of {len(found)}"


def _grid(plan: Plan, contrast: Contrast, found: Sequence[Found]) -> Table:
    at = {f.place: f for f in found}
    across, up = ([*dict.fromkeys(sorted(p[k] for p in at))] for k in (0, 1))
    rows = [[f"{y:g}", *(_cell(at.get((x, y))) for x in across)] for y in up]
    seeds = listed(sorted({s for f in found for s in f.seeds}))
    notes = [f"points, 95 % intervals over seeds ({seeds}) and questions; bold: the interval leaves 0 out"]
    x, y = (axis.rpartition(".")[2] for axis in plan.axes)
    return Table(f"{contrast.name} by {x} (across) and {y}", [y, *(f"{v:g}" for v in across)], rows, notes)


def _cell(found: Found | None) -> str:
    if found is None:
        return "–"
    text = f"{signed(found.value)} {span(found.low, found.high)}"
    return text if found.sign == "open" else f"**{text}**"


def draw(plan: Plan, found: Sequence[Found], models: Mapping[str, tuple[float, float]], path: Path) -> None:
    """A heat map for each contrast; an outline where the interval leaves 0 out; real models as points on it."""
    there = {c: own for c in plan.contrasts if (own := [f for f in found if f.contrast == c])}
    if not there:
        raise ConfigError(f"map {plan.suite}: no cell is finished yet. Run it: coopt sweep {plan.suite}.")
    save(alt.concat(*(_panel(plan, c, own, models) for c, own in there.items())), path)


def _panel(
    plan: Plan, contrast: Contrast, found: Sequence[Found], models: Mapping[str, tuple[float, float]]
) -> alt.LayerChart | alt.FacetChart:
    x, y = (axis.rpartition(".")[2] for axis in plan.axes)
    most = max((abs(100 * f.value) for f in found), default=1.0)
    rows: list[Row] = [
        {
            "x": f"{f.place[0]:g}",
            "y": f"{f.place[1]:g}",
            "points": 100 * f.value,
            "text": signed(f.value),
            "sure": f.sign != "open",
            "dark": abs(100 * f.value) > 0.6 * most,
        }
        for f in found
    ]
    across = [f"{v:g}" for v in sorted({f.place[0] for f in found})]
    up = [f"{v:g}" for v in sorted({f.place[1] for f in found}, reverse=True)]
    base = chart_of(rows).encode(alt.X("x:O", title=x, sort=across), alt.Y("y:O", title=y, sort=up))
    colour = alt.Color("points:Q", title="points", scale=alt.Scale(scheme="redblue", domain=[-most, most]))
    squares = base.mark_rect().encode(colour)
    outlines = base.transform_filter("datum.sure").mark_rect(fillOpacity=0, strokeWidth=2, stroke="black")
    layers = [
        squares,
        outlines,
        base.mark_text().encode(
            alt.Text("text:N"), alt.condition("datum.dark", alt.ColorValue("white"), alt.ColorValue("black"))
        ),
    ]
    marks = [{"x": _nearest(at[0], across), "y": _nearest(at[1], up), "model": name} for name, at in models.items()]
    if marks:
        points = chart_of(marks).encode(alt.X("x:O", sort=across), alt.Y("y:O", sort=up))
        layers.append(points.mark_point(shape="diamond", size=60, yOffset=15).encode(alt.Tooltip("model:N")))
        layers.append(points.mark_text(dy=27, fontSize=9).encode(alt.Text("model:N")))
    return alt.layer(*layers).properties(title=contrast.name, width=_SIZE * len(across), height=_SIZE * len(up))


def _nearest(value: float, places: Sequence[str]) -> str:
    return min(places, key=lambda p: abs(float(p) - value))
