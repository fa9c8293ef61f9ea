"""The tables of a run by section, in reading order: what ``--all`` prints and ``--section NAME`` chooses from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from coopt.core.errors import ConfigError, unknown
from coopt.core.tables.table import Table
from coopt.reports.break_tables import break_matrices, break_table, difficulty_table
from coopt.reports.committee import acceptance_table
from coopt.reports.graph_tables import consensus_table, history_table, hostile_table, rank_table
from coopt.reports.readings import reading_table
from coopt.reports.tables import (
    comparison_table,
    cost_table,
    dominance_table,
    feedback_table,
    gate_table,
    pareto_table,
    samples_table,
    score_table,
    standings_table,
)
from coopt.runs.results import Results

_Tables = Callable[[Results], Sequence[Table]]
SECTIONS: Mapping[str, _Tables] = {
    "scores": lambda r: [score_table(r)],
    "answers": lambda r: [samples_table(r), reading_table(r)],
    "pareto": lambda r: [pareto_table(r), dominance_table(r)],
    "comparisons": lambda r: [comparison_table(r)],
    "ranking": lambda r: [standings_table(r), rank_table(r)],
    "consensus": lambda r: [consensus_table(r)],
    "gates": lambda r: [gate_table(r), history_table(r)],
    "feedback": lambda r: [feedback_table(r), acceptance_table(r), hostile_table(r)],
    "break-rates": lambda r: [*break_matrices(r), break_table(r), difficulty_table(r)],
    "cost": lambda r: [cost_table(r)],
}


def section(results: Results, name: str) -> list[Table]:
    """The tables of a section that have something to show. Raises ``ConfigError``."""
    if name not in SECTIONS:
        raise ConfigError(unknown("section", name, list(SECTIONS)))
    return [t for t in SECTIONS[name](results) if t.rows]


def all_tables(results: Results) -> list[Table]:
    """Every table that has something to show."""
    return [t for name in SECTIONS for t in section(results, name)]
