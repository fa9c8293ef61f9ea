"""Mean advantage by position from the first error, one line an arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coopt.core.errors import RunError
from coopt.reports.advantages.summary import profile
from coopt.reports.advantages.tables import label, methods_of
from coopt.reports.advantages.traces import Trace
from coopt.reports.figure import new_figure, save

REACH = 12
"""Tokens before and after the first error."""
FEW = 10
"""Positions with fewer rollouts are left out."""
# Okabe and Ito's colours, which all common kinds of colour blindness tell apart, and a mark for each.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKS = "os^Dvx*"


def draw_profile(traces: Sequence[Trace], path: Path, draws: int) -> None:
    """Write the figure. The band is the 95 % interval over questions. Raises ``RunError`` where no rollout with a known
    first error is recorded."""
    figure = new_figure(7.5, 4.2)
    axis = figure.subplots()
    drawn = 0
    for k, method in enumerate(methods_of(traces)):
        found = profile([t for t in traces if t.method == method], REACH, draws)
        kept = {at: e for at, e in found.items() if e.rollouts >= FEW and e.low is not None}
        if kept:
            places, colour = list(kept), _COLOURS[k % len(_COLOURS)]
            low, high = ([getattr(e, end) for e in kept.values()] for end in ("low", "high"))
            axis.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
            values, mark = [e.value for e in kept.values()], _MARKS[k % len(_MARKS)]
            axis.plot(places, values, color=colour, marker=mark, markersize=4, label=label(traces, method))
            drawn += 1
    if not drawn:
        raise RunError(
            f"{path}: fewer than {FEW} wrong rollouts with a known first error are recorded: nothing to draw."
        )
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.axvline(0, color="#888888", linewidth=0.8, linestyle="--")
    axis.set(xlabel="token, counted from the first error", ylabel="mean A, nats", title="Wrong rollouts")
    axis.legend(fontsize="small")
    save(figure, path)
