"""Colours of all charts as Vega configurations: the page's in light and in dark (page.css has the same ones for the
rest of the page), and a picture's, which is the light one on white."""

from __future__ import annotations

from typing import Any

# After Okabe and Ito, told apart by colour-blind readers; lighter ones on a dark page.
_LIGHT: dict[str, Any] = {
    "ink": "#1c1e21", "soft": "#5c6167", "grid": "#e3e5e8", "open": "#00775a", "closed": "#9a9fa6", "rate": "#D55E00",
    "series": ["#0072B2", "#D55E00", "#00775a", "#AA4499", "#8a6d00", "#56B4E9", "#5c6167", "#c0392b"],
}  # fmt: skip
_DARK = {
    "ink": "#eceef1", "soft": "#a7adb5", "grid": "#33373d", "open": "#3ddbae", "closed": "#70767e", "rate": "#ff8a3d",
    "series": ["#6cb8f0", "#ff9d5c", "#3ddbae", "#e39ad0", "#e6c84f", "#a9d8f7", "#a7adb5", "#ff8a80"],
}  # fmt: skip
_FONT = "system-ui, sans-serif"


def _config(c: dict[str, Any]) -> dict[str, Any]:
    return {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {"labelColor": c["ink"], "titleColor": c["soft"], "gridColor": c["grid"], "domainColor": c["soft"],
                 "tickColor": c["soft"], "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        "legend": {"labelColor": c["ink"], "titleColor": c["soft"], "labelFontSize": 12, "labelLimit": 200},
        "text": {"color": c["ink"]},
        "range": {"category": c["series"]},
        "style": {
            "open": {"color": c["open"], "strokeWidth": 3},
            "closed": {"color": c["closed"], "strokeWidth": 1.5, "strokeDash": [5, 5]},
            "open-head": {"color": c["open"]},
            "closed-head": {"color": c["closed"]},
            "node": {"stroke": c["ink"], "strokeWidth": 1.2},
            "node-name": {"color": "#000000"},  # on the fill of its domain, which is light in both
            "start": {"color": c["ink"], "strokeWidth": 2},
            "rate": {"color": c["rate"]},
        },
    }  # fmt: skip


THEMES = {"light": _config(_LIGHT), "dark": _config(_DARK)}
INK, SOFT, PAPER = _LIGHT["ink"], _LIGHT["closed"], "white"
_light = THEMES["light"]
PRINT = {
    **_light,
    "background": PAPER,
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",  # Vega brings the first: the same bytes on every machine
    "axis": {**_light["axis"], "labelLimit": 0, "labelFlush": False},
    "legend": {**_light["legend"], "labelLimit": 0, "layout": {"bottom": {"anchor": "middle"}}},
    # One font: of two, a PDF has now this first, now that.
    "title": {"color": _LIGHT["ink"], "subtitleColor": _LIGHT["ink"], "fontSize": 14, "fontWeight": "normal"},
    "concat": {"spacing": 30},
    "style": {**_light["style"], "origin": {"color": _LIGHT["soft"], "strokeWidth": 1}},
}  # fmt: skip
"""Names are never cut short."""
SERIES: list[str] = _LIGHT["series"]
