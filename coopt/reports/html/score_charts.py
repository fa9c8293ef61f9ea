"""Charts of scores: trajectories over training, and the Pareto plane before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

import altair as alt

from coopt.core.names import INIT
from coopt.reports.charts import HEIGHT, LEGEND, Chart, banded, by_method, chart_of, frame, percent, tips
from coopt.runs.measures.plane import axes, place
from coopt.runs.measures.trajectories import MEAN, Point
from coopt.runs.results import Results

_AXIS = alt.Axis(format="d", tickMinStep=1, tickCount=5)


MOST_STUDENTS = 12
"""More of them are not drawn side by side: their mean is, and on a page each that is chosen."""
EVERY_STUDENT = "mean of all students; band: lowest to highest"


def has_many(students: Sequence[str] | Mapping[str, str]) -> bool:
    return len(students) > MOST_STUDENTS


def mean_of_students(points: Sequence[Point]) -> list[Point]:
    """Trajectories of all students as one."""
    groups: dict[tuple[str, str, int, int], list[float]] = {}
    for p in points:
        groups.setdefault((p.method, p.domain, p.round, p.step), []).append(p.score)
    return [
        Point(method, EVERY_STUDENT, domain, round_, step, fmean(s), min(s), max(s))
        for (method, domain, round_, step), s in groups.items()
    ]


def trajectory_charts(points: Sequence[Point], methods: Sequence[str]) -> dict[str, Chart]:
    """student -> its validation scores by training step, a line a method; signal ``domain`` says of what."""
    low, high = frame([p.low for p in points] + [p.high for p in points])
    charts: dict[str, Chart] = {}
    for student in dict.fromkeys(p.student for p in points):
        rows = [percent(p._asdict(), "score", "low", "high") for p in points if p.student == student]
        base = (
            chart_of(rows)
            .transform_filter("datum.domain == domain")
            .encode(x=alt.X("step:Q", title="training step", axis=alt.Axis(tickMinStep=1)))
        )
        scale = alt.Scale(domain=[low, high])
        charts[student] = (
            banded(base, methods, "score", "validation score, %", scale, tooltip=tips(rows[0]))
            .add_params(alt.param(name="domain", value=MEAN))
            .properties(width="container", height=HEIGHT, description=f"Validation scores of {student} by step.")
        )
    return charts


def pareto_charts(results: Results) -> dict[str, Chart]:
    """student -> its plane: a hollow point before, for each method an arrow that grows towards the point after."""
    places = {(w, s): place(results, w, s) for w in (INIT, *results.methods) for s in results.native}
    xs, ys = (frame([p[k] for p in places.values()]) for k in (0, 1))
    charts: dict[str, Chart] = {}
    for student in results.native:
        rows = []
        for method in results.methods:
            for end, who, size in (("before", INIT, 0), ("after", method, 1)):
                x, y = places[who, student]
                row = {"method": method, "end": end, "x": 100 * x, "y": 100 * y, "size": size}
                rows.append(row | {"label": f"{student}, {method}, {end}"})
        names = axes(results, student)
        base = chart_of(rows).encode(
            x=alt.X("x:Q", title=f"{names[0]}, %", scale=alt.Scale(domain=xs), axis=_AXIS),
            y=alt.Y("y:Q", title=f"{names[1]}, %", scale=alt.Scale(domain=ys), axis=_AXIS),
        )
        coloured = base.encode(color=by_method(results.methods))
        arrows = coloured.mark_trail().encode(size=alt.Size("size:Q", scale=alt.Scale(range=[1, 6]), legend=None))
        tips = [
            "method:N",
            "end:N",
            *(alt.Tooltip(f"{k}:Q", title=n, format=".1f") for k, n in zip("xy", names, strict=True)),
        ]
        ends = coloured.transform_filter("datum.end == 'after'").mark_point(filled=True, size=110, opacity=1)
        start = base.transform_filter("datum.end == 'before'").mark_point(size=110, style="start")
        charts[student] = alt.layer(
            arrows,
            ends.encode(
                shape=alt.Shape("method:N", scale=alt.Scale(domain=results.methods), legend=LEGEND), tooltip=tips
            ),
            start.encode(tooltip=tips),
        ).properties(width="container", height=HEIGHT, description=f"Test scores of {student} before and after.")
    return charts
