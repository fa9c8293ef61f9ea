"""One figure of a simulation: scores and open edges over rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from coopt.driver.simulate.results import RoundLine, SimulatedResults
from coopt.driver.simulate.summary import method_label
from coopt.reports.figure import new_figure, save


def draw(results: SimulatedResults, path: Path) -> None:
    """Write the figure: one panel a domain, one for open edges; the band holds the middle 80 % of students."""
    panels = len(results.domains) + 1
    figure = new_figure(4 * panels, 3.6)
    axes = figure.subplots(1, panels)
    for k, method in enumerate(results.methods):
        lines = [line for line in results.history if line.method == method]
        label, colour = method_label(method, results.gate), f"C{k}"
        for axis, domain in zip(axes[:-1], results.domains, strict=True):
            _scores(axis, lines, domain, label, colour)
        decided = [line for line in lines if line.open is not None]
        rounds, shares = [x.round for x in decided], [100 * (x.open or 0.0) for x in decided]
        axes[-1].plot(rounds, shares, color=colour, label=label, marker="." if len(rounds) < 2 else "")
    for axis, title in zip(axes, [*results.domains, "open edges"], strict=True):
        axis.set(title=f"{title} (simulated)", xlabel="round", ylabel="percent")
    axes[0].legend(fontsize="small")
    figure.suptitle(f"SIMULATED: {results.topology}, {results.students:,} students; constants: {results.constants}")
    save(figure, path)


def _scores(axis: Any, lines: list[RoundLine], domain: str, label: str, colour: str) -> None:
    rounds = [line.round for line in lines]
    low, high = ([100 * getattr(line, k)[domain] for line in lines] for k in ("low", "high"))
    axis.fill_between(rounds, low, high, color=colour, alpha=0.15, linewidth=0)
    axis.plot(rounds, [100 * line.score[domain] for line in lines], color=colour, label=label)
