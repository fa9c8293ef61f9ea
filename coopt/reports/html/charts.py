"""What all charts of the page share: Vega-Lite specifications, made with Altair.

Vega draws SVG: sharp at any size, and every mark has an ARIA label. Colours come from a theme (light or dark) that the
page lays under a chart, so no chart names a colour. Methods also differ by dashes and shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
Row = dict[str, Any]
HEIGHT = 240
LEGEND = alt.Legend(orient="bottom", title=None, columns=2, symbolOpacity=1)
LINES = alt.Legend(orient="bottom", title=None, columns=2, symbolType="stroke", symbolOpacity=1, symbolSize=400)


def chart_of(rows: Sequence[Row]) -> alt.Chart:
    """A chart with these rows inside."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def spec(chart: Chart) -> Row:
    """The specification, without the theme that Altair adds."""
    found: Row = chart.to_dict()
    found.pop("config", None)
    return found


def by_method(methods: Sequence[str], legend: alt.Legend = LEGEND) -> alt.Color:
    return alt.Color("method:N", scale=alt.Scale(domain=list(methods)), legend=legend)


def percent(row: Row, *keys: str) -> Row:
    return row | {k: None if row[k] is None else round(100 * row[k], 2) for k in keys}


def frame(values: Sequence[float]) -> list[float]:
    """Percent below the lowest and above the highest value, to the next five."""
    return [5 * (100 * min(values, default=0.0) // 5), min(100.0, 5 * (100 * max(values, default=1.0) // 5 + 1))]


def tips(row: Row) -> list[alt.Tooltip]:
    """Everything of a row but its ``words`` and ``order``."""
    shown = {k: v for k, v in row.items() if k not in ("words", "order")}
    return [
        alt.Tooltip(f"{k}:Q", format=".1f") if isinstance(v, float) else alt.Tooltip(f"{k}:N") for k, v in shown.items()
    ]
