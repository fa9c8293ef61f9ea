"""What all charts share, those of the page and those in a file: Vega-Lite specifications, made with Altair.

Vega draws SVG: sharp at any size, and every mark has an ARIA label. Colours come from a theme (light, dark or
print) that is laid under a chart, so no chart names a colour. Methods also differ by dashes and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from coopt.core.names import LONGEST
from coopt.core.text import visible

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
Figure = Chart | alt.ConcatChart
Row = dict[str, Any]
HEIGHT = 240
_LONGEST = 2 * LONGEST + 10
"""Characters of a label: an edge between two nodes fits, so that a chart and its choices call it the same."""
_EXPRESSIONS = ("filter", "expr", "calculate", "test", "$schema", "field", "as", "name")
_UNQUOTED = str.maketrans({'"': "'", "\\": "/"})
PANEL = 300
LEGEND = alt.Legend(orient="bottom", title=None, columns=2, symbolOpacity=1)
LINES = alt.Legend(orient="bottom", title=None, columns=2, symbolType="stroke", symbolOpacity=1, symbolSize=400)


def chart_of(rows: Sequence[Row]) -> alt.Chart:
    """A chart with these rows inside."""
    return alt.Chart(alt.InlineData(values=list(rows)))


def spec(chart: Figure) -> Row:
    """The specification, without the theme that Altair adds, and with labels that no chart breaks on."""
    found: Row = chart.to_dict()
    found.pop("config", None)
    return {k: _with_labels(v, k) for k, v in found.items()}


def label(text: str) -> str:
    """A name as charts can draw it. Vega writes titles into expressions without escaping backslashes, and its SVG may
    not hold control characters."""
    shown = visible(text, kept="").translate(_UNQUOTED)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _with_labels(value: Any, key: str = "") -> Any:
    """All strings but expressions as labels, so that names still are the same name everywhere in the chart."""
    if isinstance(value, dict):
        return {k: _with_labels(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_labels(v, key) for v in value]
    return label(value) if isinstance(value, str) and key not in _EXPRESSIONS else value


def by_method(methods: Sequence[str], legend: alt.Legend = LEGEND) -> alt.Color:
    return alt.Color("method:N", scale=alt.Scale(domain=list(methods)), legend=legend)


def banded(base: alt.Chart, methods: Sequence[str], y: str, title: str, scale: alt.Scale, **line: Any) -> Chart:
    """Lines of ``method``, each over its band from ``low`` to ``high``. ``line``: more of what the line encodes."""
    base = base.encode(color=by_method(methods, LINES))
    dash = alt.StrokeDash("method:N", scale=alt.Scale(domain=list(methods)), legend=LINES)
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    over = base.mark_line(point=True).encode(y=alt.Y(f"{y}:Q", title=title, scale=scale), strokeDash=dash, **line)
    return alt.layer(band, over)


def panels(charts: Mapping[str, Chart], width: float = PANEL, title: str = "") -> alt.ConcatChart:
    """Charts under their titles, at most four in a row, with one legend."""
    sized = [c.properties(title=title, width=width, height=HEIGHT) for title, c in charts.items()]
    above = alt.Title(title, anchor="middle", fontSize=15, offset=14) if title else alt.Undefined
    return alt.concat(*sized, columns=4, title=above)


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
