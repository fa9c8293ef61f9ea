"""The timeline of a step as a chart of letters, and the share of idle GPU time for several numbers of GPUs."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from coopt.core.tables.cells import NONE
from coopt.core.tables.table import Table
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.timeline import Span, Timeline, timeline

GPUS = (2, 8, 64)
_WIDTH = 48  # characters of a line of the chart
_LETTERS = {"sync": "s", "rollouts": "R", "tail": "t", "feedback": "F", "update": "U"}
_WAITING = "."


def timeline_tables(plan: Plan) -> list[Table]:
    """What one step of every student takes; nothing where speeds were measured here, or nobody is trained."""
    if plan.assumed is None:
        return []
    asked = plan.assumed.gpus
    lines = {gpus: timeline(plan, gpus) for gpus in sorted({*GPUS, asked})}
    if not any(line.spans for line in lines.values()):
        return []
    shown = lines[asked] if lines[asked].spans else next(line for line in lines.values() if line.spans)
    rows = [[str(g), *_row(line)] for g, line in lines.items()]
    notes = ["assumed, not measured; --assume gpus=N adds a line and draws its chart"]
    columns = ["GPUs", "students at once", "s until all have done a step", "idle"]
    return [Table("One step of every student", columns, rows, notes), _chart(shown)]


def _row(line: Timeline) -> list[str]:
    if not line.spans:
        return [f"none: one takes {line.ranks}", NONE, NONE]
    at_once = len({s.group for s in line.spans})
    return [str(at_once), f"{line.seconds:,.0f}", f"{line.idle:.0%}"]


def _chart(line: Timeline) -> Table:
    """A line for each group of GPUs; groups that do nothing are one line."""
    scale = line.seconds / _WIDTH
    by_group = {g: list(own) for g, own in groupby(sorted(line.spans), key=lambda s: s.group)}
    rows = [[_names(g, line.ranks), _students(own), _drawn(own, scale)] for g, own in by_group.items()]
    rest = line.gpus - len(by_group) * line.ranks
    if rest:
        rows.append([f"{rest} more", NONE, _WAITING * _WIDTH])
    legend = ", ".join(f"{letter} {what}" for what, letter in _LETTERS.items())
    notes = [f"{legend}, {_WAITING} waiting; a character is {scale:.1f} s"]
    return Table(f"{line.gpus} GPUs, {line.seconds:,.0f} s", ["GPU", "students", "what they do"], rows, notes)


def _names(group: int, ranks: int) -> str:
    first = group * ranks
    return str(first) if ranks == 1 else f"{first}-{first + ranks - 1}"


def _students(spans: list[Span]) -> str:
    return ", ".join(dict.fromkeys(s.student for s in spans))


def _drawn(spans: list[Span], scale: float) -> str:
    """Each character is what is done at its middle."""
    middles = [(k + 0.5) * scale for k in range(_WIDTH)]
    at = (next((s for s in spans if s.start <= m < s.end), None) for m in middles)
    return "".join(_LETTERS[s.what] if s else _WAITING for s in at)


def timeline_data(plan: Plan) -> dict[str, Any]:
    """The same for programs."""
    if plan.assumed is None:
        return {}
    lines = (timeline(plan, gpus) for gpus in sorted({*GPUS, plan.assumed.gpus}))
    return {
        str(line.gpus): {"seconds": line.seconds, "idle": line.idle, "spans": [s._asdict() for s in line.spans]}
        for line in lines
        if line.spans
    }
