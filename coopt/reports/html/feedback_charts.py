"""Charts of feedback: what it broke and fixed, what became of it, and what it cost."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt

from coopt.graph.topology import Edge
from coopt.methods.rollouts import OUTCOMES
from coopt.reports.charts import HEIGHT, LEGEND, Chart, Row, chart_of, percent, tips
from coopt.runs.measures.cost import PARTS
from coopt.runs.measures.outcomes import OutcomeShare
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE
from coopt.runs.order import by_node
from coopt.runs.results import BreakCell, Results

KINDS = ("break", "fix")
_WRITTEN = 6
"""Students up to which rates are written into the squares of a matrix."""


def break_matrices(results: Results) -> dict[str, Chart]:
    """title -> tutor x tutee, of break- and fix-rates; signal ``context`` chooses what the tutee saw."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate == ANY_STATE]
    charts: dict[str, Chart] = {}
    for kind in KINDS if cells else ():
        rows = [_rate(c, kind) for c in cells]
        for row in rows:
            row["tutor"], row["tutee"] = Edge.parse(row["edge"])
        base = (
            chart_of(rows)
            .transform_filter("datum.context == context")
            .encode(
                x=alt.X("tutee:N", title="tutee", sort=_nodes(results, rows, "tutee"), axis=_below(results)),
                y=alt.Y("tutor:N", title="tutor", sort=_nodes(results, rows, "tutor")),
                tooltip=tips(rows[0]),
            )
        )
        opacity = alt.Opacity("rate:Q", scale=alt.Scale(domain=[0, 100], range=[0.05, 0.6]), legend=None)
        charts[f"{kind.capitalize()}-rate, tutor x tutee, percent"] = (
            alt.layer(
                base.mark_rect(style="rate").encode(opacity=opacity),
                *([] if _has_many(results) else [base.mark_text().encode(text="words:N")]),
            )
            .add_params(alt.param(name="context", value=rows[0]["context"]))
            .properties(
                width="container", height=60 + (16 if _has_many(results) else 40) * len({r["tutor"] for r in rows})
            )
            .properties(description=f"{kind}-rate of every edge.")
        )
    return charts


def _nodes(results: Results, rows: Sequence[Row], end: str) -> list[str]:
    return sorted({r[end] for r in rows}, key=by_node(results.native))


def _has_many(results: Results) -> bool:
    """Whether a rate does not fit its square; the tooltip has it."""
    return len(results.native) > _WRITTEN


def _below(results: Results) -> alt.Axis:
    """Names below one another where they do not fit side by side."""
    return alt.Axis(labelAngle=-90 if len(results.native) > _WRITTEN else 0, labelOverlap=False)


def difficulty_charts(results: Results) -> dict[str, Chart]:
    """title -> rates of all edges by difficulty and the gate's state, with intervals; hollow: the control without f."""
    cells = [c for c in results.break_rates if c.edge == ALL_EDGES and c.gate != ANY_STATE]
    charts: dict[str, Chart] = {}
    for kind in KINDS:
        rows = [row for c in cells if (row := _rate(c, kind))["rate"] is not None]
        if rows:
            order = list(dict.fromkeys(c.difficulty for c in cells))
            charts[f"{kind.capitalize()}-rate by gate and difficulty"] = _by_difficulty(rows, order, kind)
    return charts


def _by_difficulty(rows: Sequence[Row], order: Sequence[str], kind: str) -> Chart:
    states = ["open", "closed"]
    base = (
        chart_of(rows)
        .transform_filter("datum.context == context")
        .encode(
            x=alt.X(
                "difficulty:N",
                sort=list(order),
                title="wrong answers of eight before",
                axis=alt.Axis(labelAngle=-25),
                scale=alt.Scale(domain=list(order)),
            ),
            xOffset=alt.XOffset("gate:N", sort=states, scale=alt.Scale(domain=states)),
            color=alt.Color("gate:N", scale=alt.Scale(domain=states), legend=LEGEND),
            tooltip=tips(rows[0]),
        )
    )
    shown = dict.fromkeys(r["context"] for r in rows)
    tops = {context: _top([r for r in rows if r["context"] == context]) for context in shown}
    scale = alt.Scale(domainMin=0, domainMax=alt.ExprRef(f"{json.dumps(tops)}[context]"))
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    shape = alt.Shape("gate:N", scale=alt.Scale(domain=states), legend=LEGEND)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        y=alt.Y("rate:Q", title=f"{kind}-rate, %", scale=scale), shape=shape
    )
    control = base.mark_point(size=50).encode(y=alt.Y("control:Q", scale=scale))
    return (
        alt.layer(bars, points, control)
        .add_params(alt.param(name="context", value=rows[0]["context"]))
        .properties(width="container", height=HEIGHT, description=f"{kind}-rates by gate and difficulty.")
    )


def _top(rows: Sequence[Row]) -> float:
    """The highest mark, in percent."""
    return max((v for r in rows for v in (r["high"], r["control"]) if v is not None), default=100.0) or 1.0


def outcome_charts(shares: Sequence[OutcomeShare]) -> dict[str, Chart]:
    """method -> outcomes of its feedback, round by round; signal ``edge`` chooses the edge."""
    charts: dict[str, Chart] = {}
    place: dict[str, int] = {name: k for k, name in enumerate(OUTCOMES)}
    for method in dict.fromkeys(s.method for s in shares):
        own = [percent(s._asdict(), "share") | {"order": place[s.outcome]} for s in shares if s.method == method]
        charts[method] = (
            chart_of(own)
            .transform_filter("datum.edge == edge")
            .mark_bar()
            .encode(
                x=alt.X("round:O", axis=alt.Axis(labelAngle=0)),
                y=alt.Y("share:Q", title="messages, %", scale=alt.Scale(domain=[0, 100])),
                color=alt.Color(
                    "outcome:N", sort=list(OUTCOMES), scale=alt.Scale(domain=list(OUTCOMES)), legend=LEGEND
                ),
                order=alt.Order("order:Q"),
                tooltip=tips(own[0]),
            )
            .add_params(alt.param(name="edge", value=ALL_EDGES))
            .properties(width="container", height=HEIGHT, description=f"Feedback outcomes of {method} by round.")
        )
    return charts


def cost_rows(results: Results) -> list[Row]:
    """Seconds of each part of a step, by method and feedback on or off."""
    parts = (*PARTS, "other")
    return [
        {"step": f"{c.method}, {c.feedback}", "part": p, "seconds": c.shares.get(p, 0.0) * c.seconds_per_step}
        for c in results.costs
        for p in parts
    ]


def cost_chart(results: Results) -> Chart | None:
    """Stacked seconds of a training step."""
    rows = cost_rows(results)
    if not rows:
        return None
    names = list(dict.fromkeys(r["step"] for r in rows))
    parts = [*PARTS, "other"]
    chart: Chart = (
        chart_of(rows)
        .mark_bar()
        .encode(
            y=alt.Y("step:N", sort=names, title="feedback on or off", axis=alt.Axis(labelLimit=140)),
            x=alt.X("seconds:Q", title="seconds per step", axis=alt.Axis(tickCount=6)),
            color=alt.Color("part:N", sort=parts, scale=alt.Scale(domain=parts), legend=LEGEND),
            tooltip=tips(rows[0]),
        )
        .properties(width="container", height=40 + 30 * len(names), description="Seconds of a training step by part.")
    )
    return chart


def _rate(cell: BreakCell, kind: str) -> Row:
    """A rate of a cell, in percent."""
    found, control = cell.rates[kind], cell.rates[f"{kind}_control"].rate
    row: Row = {
        "edge": cell.edge, "gate": cell.gate, "difficulty": cell.difficulty, "context": cell.context,
        "n": found.answers, "rate": found.rate, "low": found.low, "high": found.high, "control": control,
    }  # fmt: skip
    return percent(row, "rate", "low", "high", "control") | {
        "words": "few" if found.rate is None else f"{100 * found.rate:.1f}"
    }
