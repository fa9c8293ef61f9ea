"""The tables of ``coopt compare``."""

from __future__ import annotations

from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.tables.cells import percent, places, probability, signed, span
from coopt.core.tables.table import Table
from coopt.runs.compare import Comparison

RANK = ["rank", "place, 95 %"]
RANK_NOTE = "rank: by change; place: all true places lie in these at once with 95 % (pairs, Holm, in every seed)."
INTERVALS = "Intervals (95 %) and p: over seeds and questions with their clusters (docs/statistics.md)."
PARETO_RULE = (
    "yes: a gain is shown in some domain, and in each one that less than a point is lost; no: a loss is shown; mutual:"
    " of every student."
)
FEW_SEEDS = (
    "Fewer than three seeds: every interval and verdict is about these students only, not about other specialists or"
    " another order of prompts. Use --seeds 5."
)


def comparison_tables(found: Comparison) -> list[Table]:
    """Side by side, method against method, and what else differs between the runs."""
    tables = [_side_by_side(found), differences_table(found), _settings(found)]
    return [t for t in tables if t.rows]


def _side_by_side(found: Comparison) -> Table:
    rows = [
        [
            line.side.run,
            line.side.method,
            *places(line.rank),
            str(line.students),
            percent(line.start),
            percent(line.score.value),
            span(*proportion_interval(line.score)),
            signed(line.change.value),
            span(line.change.low, line.change.high, "+.1f"),
            " ".join(map(signed, line.change.per_seed)),
            probability(line.change.p),
            line.change.verdict,
        ]
        for line in found.lines
    ]
    notes = [
        f"Percent, means of all students and domains; seeds {', '.join(map(str, found.seeds))}."
        f" {INTERVALS} p: Holm over the table. {RANK_NOTE}"
    ]
    for run, seeds in found.left_out.items():
        if seeds:
            notes.append(f"Seeds of {run} that are not in every run, left out: {', '.join(map(str, seeds))}.")
    if len(found.seeds) < LEAST_SEEDS:
        notes.append(FEW_SEEDS)
    columns = [
        "run",
        "method",
        *RANK,
        "students",
        "start",
        "score",
        "95 %",
        "change",
        "95 % ",
        "per seed",
        "p (Holm)",
        "verdict",
    ]
    return Table("Methods of several runs", columns, rows, notes)


def differences_table(found: Comparison) -> Table:
    """One side minus another."""
    words = {"improves": "better"}
    rows = [
        [
            f"{d.side} - {d.baseline}",
            signed(d.moved.value),
            span(d.moved.low, d.moved.high, "+.1f"),
            " ".join(map(signed, d.moved.per_seed)),
            probability(d.moved.p),
            words.get(d.moved.verdict, d.moved.verdict),
        ]
        for d in found.differences
    ]
    seeds = f"Seeds {', '.join(map(str, found.seeds))}."
    note = (
        "All begin with the same students: a difference of changes is a difference of scores."
        if found.same_start
        else "They begin with different students: changes are compared, not scores."
    )
    columns = ["methods", "difference", "95 %", "per seed", "p (Holm)", "verdict"]
    return Table(
        "Methods compared, difference of the changes, percent",
        columns,
        rows,
        [f"{seeds} {note} p: Holm over the table."],
    )


def _settings(found: Comparison) -> Table:
    rows = [[key, *map(str, values)] for key, values in found.settings.items()]
    return Table("Settings that differ", ["setting", *found.runs], rows)
