"""Mean advantage by position from the first error, one line an arm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import altair as alt

from coopt.core.errors import RunError
from coopt.reports.advantages.summary import profile
from coopt.reports.advantages.tables import label, methods_of
from coopt.reports.advantages.traces import Trace
from coopt.reports.charts import HEIGHT, banded, chart_of
from coopt.reports.figure import save

REACH = 12
"""Tokens before and after the first error."""
FEW = 10
"""Positions with fewer rollouts are left out."""


def draw_profile(traces: Sequence[Trace], path: Path) -> None:
    """Write the figure. The band is the 95 % interval over questions. Raises ``RunError`` where no rollout with a known
    first error is recorded."""
    rows = [
        {"method": label(traces, method), "token": at, "A": e.value, "low": e.low, "high": e.high}
        for method in methods_of(traces)
        for at, e in profile([t for t in traces if t.method == method], REACH).items()
        if e.rollouts >= FEW and e.low is not None
    ]
    if not rows:
        raise RunError(
            f"{path}: fewer than {FEW} wrong rollouts with a known first error are recorded: nothing to draw."
        )
    x = alt.X("token:Q", title="token, counted from the first error", axis=alt.Axis(tickMinStep=1))
    labels = list(dict.fromkeys(str(r["method"]) for r in rows))
    lines = banded(chart_of(rows).encode(x=x), labels, "A", "mean A, nats", alt.Scale())
    zero = alt.Chart(alt.InlineData(values=[{}])).mark_rule(style="origin")
    at_zero = zero.encode(y=alt.datum(0)), zero.encode(x=alt.datum(0), strokeDash=alt.value([4, 3]))
    save(alt.layer(*at_zero, lines).properties(title="Wrong rollouts", width=2 * HEIGHT, height=HEIGHT), path)
