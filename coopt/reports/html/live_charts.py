"""Charts of a run that is going on: validation scores, reward and loss, as far as they are there."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from coopt.reports.charts import HEIGHT, LINES, Chart, by_method, chart_of, tips
from coopt.reports.html.score_charts import has_many, mean_of_students, trajectory_charts
from coopt.runs.measures.training import EVERYONE, TrainingPoint
from coopt.runs.measures.trajectories import Point


def score_charts(points: Sequence[Point], methods: Sequence[str], students: Sequence[str]) -> dict[str, Chart]:
    """title -> validation scores by step; signal ``domain``. Many students are one chart, which is drawn often."""
    return trajectory_charts(mean_of_students(points) if has_many(students) else points, methods)


def training_charts(points: Sequence[TrainingPoint], methods: Sequence[str]) -> dict[str, Chart]:
    """title -> reward and loss by step; signal ``student``."""
    found = {}
    for title, key, unit in (("Reward", "reward", "correct rollouts, %"), ("Loss", "loss", "loss")):
        rows = [
            {"method": p.method, "student": p.student, "step": p.step, key: 100 * value if key == "reward" else value}
            for p in points
            if (value := getattr(p, key)) is not None
        ]
        if rows:
            found[title] = _line(rows, key, unit, methods)
    return found


def _line(rows: Sequence[dict[str, object]], key: str, unit: str, methods: Sequence[str]) -> Chart:
    scale = alt.Scale(domain=list(methods))
    chart: Chart = (
        chart_of(rows)
        .transform_filter("datum.student == student")
        .mark_line(point=alt.OverlayMarkDef(size=12))
        .encode(
            x=alt.X("step:Q", title="training step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(f"{key}:Q", title=unit, scale=alt.Scale(zero=key == "reward")),
            color=by_method(methods, LINES),
            strokeDash=alt.StrokeDash("method:N", scale=scale, legend=LINES),
            tooltip=tips(rows[0]),
        )
        .add_params(alt.param(name="student", value=EVERYONE))
        .properties(width="container", height=HEIGHT, description=f"{key} by training step.")
    )
    return chart
