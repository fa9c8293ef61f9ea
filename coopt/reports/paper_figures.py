"""``coopt report --figure``: the paper's figures with a run's own numbers, as pictures for a paper or a page.

Every figure takes one run; ``schedules`` and ``step-time`` compare several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import altair as alt

from coopt.core.errors import ConfigError, RunError, unknown
from coopt.core.names import INIT
from coopt.methods.rollouts import OUTCOMES
from coopt.reports.break_tables import CONTEXT_WORDS
from coopt.reports.charts import HEIGHT, LEGEND, PANEL, Chart, Figure, Row, chart_of, panels
from coopt.reports.figure import check_figure, save
from coopt.reports.html.score_charts import trajectory_charts
from coopt.reports.opened import Opened, only
from coopt.reports.theme import INK, PAPER, SERIES, SOFT
from coopt.runs.measures.cost import read_steps
from coopt.runs.measures.outcomes import OutcomeShare, outcomes_by_round
from coopt.runs.measures.plane import axes as axes_of
from coopt.runs.measures.plane import place
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE
from coopt.runs.measures.trajectories import MEAN, trajectories
from coopt.runs.results import BreakCell, CostCell

_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "triangle-right")
Look = tuple[str, str, str]
"""Outline, fill and shape of a mark."""


class FigureKind(NamedTuple):
    """``paper``: its counterpart there."""

    chart: Callable[[Sequence[Opened]], Figure]
    paper: str
    says: str
    several: bool = False


def write_figure(name: str, runs: Sequence[Opened], path: Path) -> None:
    """Draw one of ``FIGURES``. Raises ``RunError`` for a run that lacks what it shows."""
    save(FIGURES[name].chart(runs), path)


def check_request(name: str, runs: Sequence[Path], path: Path | None) -> Path:
    """Refuse what cannot be drawn before anything is read. Raises ``ConfigError``."""
    if name not in FIGURES:
        raise ConfigError(unknown("figure", name, FIGURES))
    if path is None:
        raise ConfigError(f"--figure {name} needs --out FILE.svg, .pdf or .png.")
    check_figure("--out", path)
    if len(runs) > 1 and not FIGURES[name].several:
        raise ConfigError(f"--figure {name} shows one run, not {len(runs)}.")
    return path


def _marks(field: str, looks: Mapping[str, Look]) -> dict[str, Any]:
    """Encodings of a mark by ``field``, each of its values with its look, in one legend."""
    channels = (alt.Stroke, alt.Fill, alt.Shape)
    return {
        channel.__name__.lower(): channel(
            f"{field}:N", scale=alt.Scale(domain=list(looks), range=list(values)), legend=LEGEND
        )
        for channel, values in zip(channels, zip(*looks.values(), strict=True), strict=True)
    }


# -- Figure 6 ----------------------------------------------------------------------------------------


def _feedback(runs: Sequence[Opened]) -> Figure:
    """Outcomes in the first and in the last round in which tutors were asked."""
    opened = only(runs, "--figure feedback")
    shares = [s for s in outcomes_by_round(read_steps(opened.run)) if s.edge == ALL_EDGES]
    if not shares:
        raise RunError(f"{opened.name}: no step records with feedback.")
    ends: dict[str, list[OutcomeShare]] = {}
    for method in dict.fromkeys(s.method for s in shares):
        rounds = [s.round for s in shares if s.method == method]
        ends[method] = [s for s in shares if s.method == method and s.round in (min(rounds), max(rounds))]
    shown = [f"round {r}" for r in sorted({s.round for own in ends.values() for s in own})]
    return panels({m: _outcome_bars(own, shown) for m, own in ends.items()}, width=360)


def _outcome_bars(shares: Sequence[OutcomeShare], rounds: Sequence[str]) -> Chart:
    rows: list[Row] = [{"outcome": s.outcome, "round": f"round {s.round}", "share": 100 * s.share} for s in shares]
    base = chart_of(rows).encode(
        x=alt.X(
            "outcome:N",
            sort=list(OUTCOMES),
            title=None,
            axis=alt.Axis(labelAngle=-25),
            scale=alt.Scale(paddingInner=0.1),
        ),
        xOffset=alt.XOffset("round:N", sort=list(rounds)),
        y=alt.Y("share:Q", title="messages, %", scale=alt.Scale(domain=[0, 105])),
    )
    colour = alt.Color("round:N", scale=alt.Scale(domain=list(rounds)), legend=LEGEND)
    numbers = base.mark_text(baseline="bottom", dy=-2, fontSize=8).encode(text=alt.Text("share:Q", format=".3~g"))
    return alt.layer(base.mark_bar().encode(color=colour), numbers)


# -- Figure 7 ----------------------------------------------------------------------------------------


def _gates(runs: Sequence[Opened]) -> Figure:
    """Where each method (each gate) moved a student on its Pareto plane; the hollow mark is the initial student."""
    opened = only(runs, "--figure gates")
    results = opened.results
    if not results.methods:
        raise RunError(f"{opened.name}: no method was trained.")
    looks = {"initial": (INK, PAPER, "circle")}
    looks |= {m: (c, c, shape) for m, c, shape in zip(results.methods, cycle(SERIES), cycle(_SHAPES))}
    charts = {}
    for student, native in results.native.items():
        x0, y0 = (100 * v for v in place(results, INIT, student))
        ends: list[Row] = [{"method": "initial", "x": x0, "y": y0}]
        moves: list[Row] = []
        for method in results.methods:
            x, y = (100 * v for v in place(results, method, student))
            ends.append({"method": method, "x": x, "y": y})
            moves += [{"method": method, "x": x0, "y": y0, "size": 0}, ends[-1] | {"size": 1}]
        names = axes_of(results, student)
        scale = alt.Scale(zero=False, padding=16)
        where = {
            k: c(f"{k}:Q", title=f"{n}, %", scale=scale) for k, c, n in zip("xy", (alt.X, alt.Y), names, strict=True)
        }
        marks = _marks("method", looks)
        cross = chart_of(ends[:1]).mark_rule(style="origin", strokeDash=[2, 3])
        arrows = (
            chart_of(moves)
            .mark_trail(strokeWidth=0)
            .encode(**where, fill=marks["fill"], size=alt.Size("size:Q", scale=alt.Scale(range=[1, 4]), legend=None))
        )
        points = chart_of([*ends[1:], ends[0]]).mark_point(size=80, opacity=1).encode(**where, **marks)
        charts[f"{student} ({native})"] = alt.layer(
            cross.encode(x=where["x"]), cross.encode(y=where["y"]), arrows, points
        )
    return panels(charts)


# -- Figure 8 ----------------------------------------------------------------------------------------


def _schedules(runs: Sequence[Opened]) -> Figure:
    """Validation scores by training step: a line for each run, or for each method of one run."""
    found = [
        p._replace(method=f"{r.name}, {p.method}" if len(r.results.methods) > 1 else r.name) if len(runs) > 1 else p
        for r in runs
        for p in trajectories(r.run)
        if p.domain == MEAN and p.method in r.results.methods
    ]
    if not found:
        raise RunError(f"{', '.join(r.name for r in runs)}: no score files, so no trajectories.")
    charts = trajectory_charts(found, list(dict.fromkeys(p.method for p in found)))
    return panels(charts, title=f"Validation score, {MEAN}")


# -- Figure 9 ----------------------------------------------------------------------------------------


def _step_time(runs: Sequence[Opened]) -> Figure:
    """Seconds of a training step: all of a method's, and those with feedback on and off."""
    rows: list[Row] = []
    for opened in runs:
        for method in opened.results.methods:
            own = [c for c in opened.results.costs if c.method == method]
            name = f"{opened.name}, {method}" if len(runs) > 1 else method
            if own:
                rows.append({"step": name, "seconds": _overall(own), "part": False})
            if len(own) > 1 or any(c.feedback == "on" for c in own):
                rows += [
                    {"step": f"{name}, feedback {c.feedback}", "seconds": c.seconds_per_step, "part": True} for c in own
                ]
    if not rows:
        raise RunError(f"{', '.join(r.name for r in runs)}: no step was timed.")
    base = chart_of(rows).encode(
        x=alt.X("seconds:Q", title="seconds per training step"), y=alt.Y("step:N", sort=None, title=None)
    )
    bars = base.mark_bar().encode(color=alt.Color("part:N", scale=alt.Scale(range=[SERIES[0], SOFT]), legend=None))
    numbers = base.mark_text(align="left", dx=3).encode(text=alt.Text("seconds:Q", format=".2f"))
    return alt.layer(bars, numbers).properties(width=PANEL, height=alt.Step(26))


def _overall(cells: Sequence[CostCell]) -> float:
    """The mean of a method's steps."""
    return sum(c.seconds_per_step * c.steps for c in cells) / sum(c.steps for c in cells)


# -- Table 2 -----------------------------------------------------------------------------------------


def _break_rate(runs: Sequence[Opened]) -> Figure:
    """Break-rates by difficulty and the gate's state, with intervals; hollow: the same answers again without f."""
    opened = only(runs, "--figure break-rate")
    cells = [c for c in opened.results.break_rates if c.edge == ALL_EDGES and c.gate != ANY_STATE]
    rows = [row for c in cells for row in _rate_rows(c)]
    if not rows:
        raise RunError(f"{opened.name}: no break-rates: the probe was off or had too few answers.")
    difficulties = list(dict.fromkeys(c.difficulty for c in cells))
    return panels(
        {
            f"context {CONTEXT_WORDS[c]}": _rates([r for r in rows if r["context"] == c], difficulties)
            for c in dict.fromkeys(r["context"] for r in rows)
        }
    )


def _rate_rows(cell: BreakCell) -> list[Row]:
    """The rate with its interval, and the control's; none where there are too few answers."""
    found, control = cell.rates["break"], cell.rates["break_control"].rate
    if found.rate is None or found.low is None or found.high is None:
        return []
    at: Row = {"context": cell.context, "difficulty": cell.difficulty, "mark": f"gate {cell.gate}"}
    rows = [at | {"rate": 100 * found.rate, "low": 100 * found.low, "high": 100 * found.high}]
    if control is not None:
        rows.append(at | {"mark": f"{at['mark']}, without f", "rate": 100 * control})
    return rows


def _rates(rows: Sequence[Row], difficulties: Sequence[str]) -> Chart:
    looks: dict[str, Look] = {}
    for state, colour, shape in zip(("open", "closed"), SERIES[:2], _SHAPES[:2], strict=True):
        looks |= {f"gate {state}": (colour, colour, shape), f"gate {state}, without f": (colour, PAPER, shape)}
    x = alt.X(
        "difficulty:N", sort=list(difficulties), scale=alt.Scale(domain=list(difficulties)), title=None,
        axis=alt.Axis(labelAngle=-25),
    )  # fmt: skip
    scale, marks = alt.Scale(zero=True), _marks("mark", looks)
    base = chart_of(rows).encode(x=x, xOffset=alt.XOffset("mark:N", sort=list(looks)))
    whole = base.transform_filter("isValid(datum.high)").mark_rule(strokeWidth=2)
    points = base.mark_point(size=50, opacity=1).encode(y=alt.Y("rate:Q", title="break-rate, %", scale=scale), **marks)
    lacking: list[Row] = [{"difficulty": d} for d in difficulties if d not in {r["difficulty"] for r in rows}]
    few = chart_of(lacking).mark_text(angle=270, align="left", text="too few answers")
    return alt.layer(
        whole.encode(y=alt.Y("low:Q", scale=scale), y2="high:Q", stroke=marks["stroke"]),
        points,
        few.encode(x=x, y=alt.value(HEIGHT - 8)),
    )


FIGURES: Mapping[str, FigureKind] = {
    "break-rate": FigureKind(_break_rate, "Table 2", "break-rates by gate and difficulty"),
    "feedback": FigureKind(_feedback, "Figure 6", "feedback outcomes in the first and the last round"),
    "gates": FigureKind(_gates, "Figure 7", "methods and gates on the Pareto plane"),
    "schedules": FigureKind(_schedules, "Figure 8", "scores by training step", several=True),
    "step-time": FigureKind(_step_time, "Figure 9", "step time with feedback on and off", several=True),
}
