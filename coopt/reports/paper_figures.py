"""``coopt report --figure``: the paper's figures with a run's own numbers, as pictures for a paper or a page.

Every figure takes one run; ``schedules`` and ``step-time`` compare several. matplotlib is imported only to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coopt.core.errors import ConfigError, RunError, unknown
from coopt.methods.tutors.anchor import OUTCOMES
from coopt.reports.break_tables import CONTEXT_WORDS
from coopt.reports.figure import check_figure, new_figure, save
from coopt.reports.opened import Opened, only
from coopt.runs.measures.cost import read_steps
from coopt.runs.measures.outcomes import OutcomeShare, outcomes_by_round
from coopt.runs.measures.plane import axes as axes_of
from coopt.runs.measures.plane import place
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE
from coopt.runs.measures.results import BreakCell, CostCell
from coopt.runs.measures.trajectories import MEAN, trajectories
from coopt.runs.run import INIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (3.8, 3.2)  # inches
_MARKS = "osD^vPX*"
Drawn = Callable[["Figure", Sequence[Opened]], None]


class FigureKind(NamedTuple):
    """``paper``: its counterpart there."""

    draw: Drawn
    paper: str
    says: str
    several: bool = False


def write_figure(name: str, runs: Sequence[Opened], path: Path) -> None:
    """Draw one of ``FIGURES``. Raises ``RunError`` for a run that lacks what it shows."""
    figure = new_figure(*_PANEL)
    FIGURES[name].draw(figure, runs)
    save(figure, path)


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


def _panels(figure: Figure, titles: Sequence[str]) -> list[Axes]:
    """One panel a title, at most four in a row."""
    across = min(4, len(titles))
    down = -(-len(titles) // across)
    figure.set_size_inches(_PANEL[0] * across, _PANEL[1] * down + 0.4)
    found = [figure.add_subplot(down, across, k + 1) for k in range(len(titles))]
    for axis, title in zip(found, titles, strict=True):
        axis.set_title(title)
        axis.grid(alpha=0.25)
        axis.set_axisbelow(True)
    return found


# -- Figure 6 ----------------------------------------------------------------------------------------


def _feedback(figure: Figure, runs: Sequence[Opened]) -> None:
    """Outcomes in the first and in the last round in which tutors were asked."""
    opened = only(runs, "--figure feedback")
    shares = [s for s in outcomes_by_round(read_steps(opened.run)) if s.edge == ALL_EDGES]
    if not shares:
        raise RunError(f"{opened.name}: no step records with feedback.")
    methods = list(dict.fromkeys(s.method for s in shares))
    for axis, method in zip(_panels(figure, methods), methods, strict=True):
        rounds = sorted({s.round for s in shares if s.method == method})
        ends = dict.fromkeys((rounds[0], rounds[-1]))
        for k, round_ in enumerate(ends):
            own = {s.outcome: s for s in shares if s.method == method and s.round == round_}
            _outcome_bars(axis, own, k, len(ends), f"round {round_}")
        axis.set_xticks(range(len(OUTCOMES)), OUTCOMES, rotation=25, ha="right")
        axis.set(ylabel="messages, %", ylim=(0, 105))
        axis.legend(frameon=False)


def _outcome_bars(axis: Axes, own: Mapping[str, OutcomeShare], k: int, count: int, label: str) -> None:
    width = 0.8 / count
    places = [x + (k - (count - 1) / 2) * width for x in range(len(OUTCOMES))]
    heights = [100 * own[o].share for o in OUTCOMES]
    bars = axis.bar(places, heights, width, label=label, color=f"C{k}")
    axis.bar_label(bars, fmt="%.3g", fontsize=6)


# -- Figure 7 ----------------------------------------------------------------------------------------


def _gates(figure: Figure, runs: Sequence[Opened]) -> None:
    """Where each method (each gate) moved a student on its Pareto plane; the hollow mark is the initial student."""
    opened = only(runs, "--figure gates")
    results = opened.results
    if not results.methods:
        raise RunError(f"{opened.name}: no method was trained.")
    students = list(results.native)
    panels = _panels(figure, [f"{s} ({results.native[s]})" for s in students])
    for axis, student in zip(panels, students, strict=True):
        x0, y0 = (100 * v for v in place(results, INIT, student))
        axis.plot(x0, y0, "o", mfc="white", mec="black", ms=9, label="initial", zorder=3)
        axis.axhline(y0, color="black", lw=0.6, ls=":")
        axis.axvline(x0, color="black", lw=0.6, ls=":")
        for k, method in enumerate(results.methods):
            x, y = (100 * v for v in place(results, method, student))
            axis.annotate("", (x, y), (x0, y0), arrowprops={"arrowstyle": "->", "color": f"C{k}", "shrinkA": 5})
            axis.plot(x, y, _MARKS[k % len(_MARKS)], color=f"C{k}", ms=8, label=method)
        names = axes_of(results, student)
        axis.set(xlabel=f"{names[0]}, %", ylabel=f"{names[1]}, %")
        axis.margins(0.15)
    panels[0].legend(frameon=False, fontsize=8)


# -- Figure 8 ----------------------------------------------------------------------------------------


def _schedules(figure: Figure, runs: Sequence[Opened]) -> None:
    """Validation scores by training step: a line for each run, or for each method of one run."""
    lines = [
        (f"{r.name}, {m}" if len(runs) > 1 and len(r.results.methods) > 1 else r.name if len(runs) > 1 else m, points)
        for r in runs
        for found in [trajectories(r.run)]
        for m in r.results.methods
        if (points := [p for p in found if p.method == m and p.domain == MEAN])
    ]
    if not lines:
        raise RunError(f"{', '.join(r.name for r in runs)}: no score files, so no trajectories.")
    students = list(dict.fromkeys(p.student for _, points in lines for p in points))
    panels = _panels(figure, students)
    for axis, student in zip(panels, students, strict=True):
        for k, (label, points) in enumerate(lines):
            own = [p for p in points if p.student == student]
            steps = [p.step for p in own]
            low, high = [100 * p.low for p in own], [100 * p.high for p in own]
            axis.fill_between(steps, low, high, color=f"C{k}", alpha=0.15, lw=0)
            axis.plot(steps, [100 * p.score for p in own], color=f"C{k}", marker=_MARKS[k % len(_MARKS)], label=label)
        axis.set(xlabel="training step", ylabel=f"validation score, {MEAN}, %")
    panels[0].legend(frameon=False, fontsize=8)


# -- Figure 9 ----------------------------------------------------------------------------------------


def _step_time(figure: Figure, runs: Sequence[Opened]) -> None:
    """Seconds of a training step: all of a method's, and those with feedback on and off."""
    rows = []
    for opened in runs:
        for method in opened.results.methods:
            own = [c for c in opened.results.costs if c.method == method]
            name = f"{opened.name}, {method}" if len(runs) > 1 else method
            if own:
                rows.append((name, _overall(own)))
            if len(own) > 1 or any(c.feedback == "on" for c in own):
                rows += [(f"{name}, feedback {c.feedback}", c.seconds_per_step) for c in own]
    if not rows:
        raise RunError(f"{', '.join(r.name for r in runs)}: no step was timed.")
    (axis,) = _panels(figure, [""])
    figure.set_size_inches(6, 1 + 0.35 * len(rows))
    names, seconds = [name for name, _ in reversed(rows)], [s for _, s in reversed(rows)]
    bars = axis.barh(range(len(rows)), seconds, color=["C7" if ", feedback" in n else "C0" for n in names])
    axis.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    axis.set_yticks(range(len(rows)), names)
    axis.set(xlabel="seconds a training step")
    axis.margins(x=0.12)


def _overall(cells: Sequence[CostCell]) -> float:
    """The mean of a method's steps."""
    return sum(c.seconds_per_step * c.steps for c in cells) / sum(c.steps for c in cells)


# -- Table 2 -----------------------------------------------------------------------------------------


def _break_rate(figure: Figure, runs: Sequence[Opened]) -> None:
    """Break-rates by difficulty and the gate's state, with intervals; hollow: the same answers again without f."""
    opened = only(runs, "--figure break-rate")
    pooled = [c for c in opened.results.break_rates if c.edge == ALL_EDGES and c.gate != ANY_STATE]
    cells = [c for c in pooled if c.rates["break"][1] is not None]
    if not cells:
        raise RunError(f"{opened.name}: no break-rates: the probe was off or had too few answers.")
    contexts = list(dict.fromkeys(c.context for c in cells))
    panels = _panels(figure, [f"context {CONTEXT_WORDS[c]}" for c in contexts])
    for axis, context in zip(panels, contexts, strict=True):
        own = [c for c in cells if c.context == context]
        difficulties = list(dict.fromkeys(c.difficulty for c in pooled))
        for k, state in enumerate(("open", "closed")):
            _rates(axis, [c for c in own if c.gate == state], difficulties, k, state)
        for x in {*range(len(difficulties))} - {difficulties.index(c.difficulty) for c in own}:
            axis.text(
                x, 0.04, "too few answers", rotation=90, ha="center", fontsize=8, transform=axis.get_xaxis_transform()
            )
        axis.set_xticks(range(len(difficulties)), difficulties, rotation=25, ha="right")
        axis.set(ylabel="break-rate, %", xlim=(-0.6, len(difficulties) - 0.4))
        axis.set_ylim(bottom=0)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False, fontsize=8
    )


def _rates(axis: Axes, cells: Sequence[BreakCell], difficulties: Sequence[str], k: int, state: str) -> None:
    label: str | None = f"gate {state}"
    for cell in cells:
        _, rate, low, high = cell.rates["break"]
        if rate is None or low is None or high is None:  # too few answers
            continue
        x = difficulties.index(cell.difficulty) + (k - 0.5) * 0.3
        axis.plot([x, x], [100 * low, 100 * high], color=f"C{k}")
        axis.plot(x, 100 * rate, "os"[k], color=f"C{k}", label=label)
        control = cell.rates["break_control"][1]
        if control is not None:
            without = label and f"{label}, without f"
            axis.plot(x + 0.1, 100 * control, "os"[k], mfc="white", color=f"C{k}", label=without)
        label = None


FIGURES: Mapping[str, FigureKind] = {
    "break-rate": FigureKind(_break_rate, "Table 2", "break-rates by gate and difficulty"),
    "feedback": FigureKind(_feedback, "Figure 6", "feedback outcomes in the first and the last round"),
    "gates": FigureKind(_gates, "Figure 7", "methods and gates on the Pareto plane"),
    "schedules": FigureKind(_schedules, "Figure 8", "scores by training step", several=True),
    "step-time": FigureKind(_step_time, "Figure 9", "step time with feedback on and off", several=True),
}
