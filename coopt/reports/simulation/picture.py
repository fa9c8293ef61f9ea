"""One figure of a simulation: scores and open edges over rounds."""

from __future__ import annotations

from pathlib import Path

import altair as alt

from coopt.driver.simulate.results import SimulatedResults
from coopt.driver.simulate.summary import method_label
from coopt.reports.charts import Row, banded, chart_of, panels
from coopt.reports.figure import save


def draw(results: SimulatedResults, path: Path) -> None:
    """Write the figure: one panel a domain, one for open edges; the band holds the middle 80 % of students."""
    labels = {m: method_label(m, results.gate) for m in results.methods}
    charts = {}
    for domain in (*results.domains, "open edges"):
        rows = _rows(results, domain, labels)
        base = chart_of(rows).encode(x=alt.X("round:Q", axis=alt.Axis(tickMinStep=1)))
        charts[f"{domain} (simulated)"] = banded(base, list(labels.values()), "value", "percent", alt.Scale(zero=False))
    title = f"SIMULATED: {results.topology}, {results.students:,} students; constants: {results.constants}"
    save(panels(charts, title=title), path)


def _rows(results: SimulatedResults, what: str, labels: dict[str, str]) -> list[Row]:
    """Percent of a domain, or of the edges that a gate decided on, which have no band."""
    rows: list[Row] = []
    for line in results.history:
        if what in line.score:
            values = {"value": line.score[what], "low": line.low[what], "high": line.high[what]}
        elif line.open is not None:
            values = {"value": line.open}
        else:
            continue
        rows.append({"method": labels[line.method], "round": line.round, **{k: 100 * v for k, v in values.items()}})
    return rows
