"""The tables of a run by section, in reading order: what ``--all`` prints and ``--section NAME`` chooses from.

Formats to paste have every row. A screen of many students has summaries: the best and the worst of each group, and
where the rest is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from coopt.core.errors import ConfigError, unknown
from coopt.core.tables.ends import Ends, by_its_ends
from coopt.core.tables.fit import MOST_ROWS
from coopt.core.tables.table import Table
from coopt.reports.break_tables import (
    break_matrices,
    break_table,
    difficulty_table,
    edge_table,
    has_matrices,
    matched_table,
)
from coopt.reports.committee import acceptance_table
from coopt.reports.graph_tables import consensus_table, history_table, hostile_table, rank_table
from coopt.reports.headline import methods_table
from coopt.reports.readings import reading_table
from coopt.reports.tables import (
    comparison_table,
    cost_table,
    dominance_table,
    feedback_table,
    gate_table,
    pareto_table,
    regret_table,
    samples_table,
    score_table,
    standings_table,
)
from coopt.runs.measures.probes import ALL_EDGES, POOLED
from coopt.runs.results import Results

FEW_STUDENTS = 12
"""More of them are no columns of a table on a screen."""
_MANYS_ROWS = 24
"""Rows above which a screen of many students shows a table by its ends."""
PAGE_ROWS = 400
"""Rows above which a page shows a table by its ends."""

_Tables = Callable[[Results], Sequence[Table]]
SECTIONS: Mapping[str, _Tables] = {
    "scores": lambda r: [score_table(r)],
    "answers": lambda r: [samples_table(r), reading_table(r)],
    "pareto": lambda r: [pareto_table(r), dominance_table(r)],
    "comparisons": lambda r: [comparison_table(r)],
    "ranking": lambda r: [standings_table(r), rank_table(r)],
    "consensus": lambda r: [consensus_table(r)],
    "gates": lambda r: [gate_table(r), history_table(r), regret_table(r)],
    "feedback": lambda r: [feedback_table(r), acceptance_table(r), hostile_table(r)],
    "break-rates": lambda r: [break_table(r), matched_table(r), difficulty_table(r)],
    "matrix": lambda r: break_matrices(r),
    "cost": lambda r: [cost_table(r)],
}
_ON_SCREENS: Mapping[str, _Tables] = {
    "scores": lambda r: [*([methods_table(r)] if _has_many(r) else []), score_table(r)],
    "feedback": lambda r: [feedback_table(r), acceptance_table(r, by_judges=not _has_many(r)), hostile_table(r)],
    "break-rates": lambda r: [break_table(r, edges=not has_matrices(r)), matched_table(r), difficulty_table(r)],
    "matrix": lambda r: [edge_table(r)] if _has_many(r) else break_matrices(r),
}
"""Where a screen has other tables than a file."""
_EDGE = "tutor -> tutee"
_ENDS: Mapping[str, Ends] = {
    "Test scores, percent": Ends(("change", "avg@k"), ("method", "domain"), {"student": "–"}),
    "Majority vote and pass@k, percent": Ends(("avg@k",), ("method", "domain"), {"student": "–"}),
    "Answers as they were read, percent": Ends(("not read",), ("method",), {"student": "–"}),
    "Pareto verdicts": Ends(("native change",), ("method",), {"student": ("mutual", "share of students")}),
    "Pareto dominance between methods, percent": Ends(("probability, %",), ("methods",), {"student": ("mutual",)}),
    "Methods compared, mean of all domains, percent": Ends(("difference",), ("methods",), {"student": ("all",)}),
    "Gain by initial rank, percent": Ends(("rank",), ("method",)),
    "Gate decisions": Ends(("gap",), ("method",)),
    "Open edges by round, percent": Ends(("1",), ("method",), {_EDGE: (ALL_EDGES,)}),
    "Feedback outcomes": Ends(("kept",), ("method",), {_EDGE: (ALL_EDGES,)}),
    "FAIR: acceptance": Ends(("accepted, %",), ("method",)),
    "Hostile tutors": Ends(("leaked, %",), ("method", "kind")),
    "Break- and fix-rates, percent": Ends(("break",), ("context",), {_EDGE: POOLED}),
    "Break- and fix-rates by edge, percent": Ends(("break",), ("context",)),
}
"""title -> how it is shown where it is long; without an entry it has no more rows than methods or parts."""


def section(results: Results, name: str) -> list[Table]:
    """The tables of a section that have something to show, whole. Raises ``ConfigError``."""
    _check(name)
    return [t for t in SECTIONS[name](results) if t.rows]


def all_tables(results: Results) -> list[Table]:
    """Every table that has something to show, whole."""
    return [t for name in SECTIONS for t in section(results, name)]


def screen_section(results: Results, name: str) -> list[Table]:
    """The tables of a section for a screen. Raises ``ConfigError``."""
    _check(name)
    long = _MANYS_ROWS if _has_many(results) else MOST_ROWS
    return [_short(t, name, long) for t in _ON_SCREENS.get(name, SECTIONS[name])(results) if t.rows]


def screen_tables(results: Results) -> list[Table]:
    """Every table that has something to show, for a screen."""
    return [t for name in SECTIONS for t in screen_section(results, name)]


def page_tables(results: Results) -> list[Table]:
    """Every table for a page, which scrolls: only what would make it too heavy is shown by its ends."""
    return [_short(t, name, PAGE_ROWS) for name in SECTIONS for t in section(results, name)]


def _has_many(results: Results) -> bool:
    return len(results.native) > FEW_STUDENTS


def _short(table: Table, name: str, long: int) -> Table:
    rest = f"--section {name} --format csv"
    short = by_its_ends(table, _ENDS[table.title], rest) if table.title in _ENDS and len(table.rows) > long else table
    if table.title == "FAIR: acceptance" and "by " not in " ".join(table.columns):
        return replace(short, notes=[*short.notes, f"By judge: {rest}."])
    return short


def _check(name: str) -> None:
    if name not in SECTIONS:
        raise ConfigError(unknown("section", name, list(SECTIONS)))
