"""The tables of ``coopt compare``."""

from __future__ import annotations

from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.proportions import proportion_interval
from coopt.core.tables.cells import percent, places, probability, signed, span
from coopt.core.tables.table import Table
from coopt.reports.verdicts import reasons, worded
from coopt.runs.compare import Comparison

_NAMED = 4
"""Pairs that are not compared, by name; more are counted."""
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
            worded(line.change.verdict, line.change.low, line.change.high, line.change.p),
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
    return Table("Methods of several runs", columns, rows, notes + reasons(rows))


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
            worded(words.get(d.moved.verdict, d.moved.verdict), d.moved.low, d.moved.high, d.moved.p),
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
        [f"{seeds} {note} p: Holm over the table.", *_not_compared(found), *reasons(rows)],
    )


def _not_compared(found: Comparison) -> list[str]:
    """Which pairs have no row, and how to get one."""
    left = found.not_compared
    if not left:
        return []
    shown = ", ".join(f"{a} - {b}" for a, b in left[:_NAMED])
    count = len(left) + len(found.differences)
    return [
        f"{len(found.differences)} of {count} pairs: every method against {found.lines[0].side}, and against its"
        f" namesake in an earlier run, because every further pair makes Holm's correction stricter. Not compared:"
        f" {shown}{f' and {len(left) - _NAMED} more' if len(left) > _NAMED else ''}. For these: coopt compare with"
        " another run first; for methods of one run: coopt report RUN --section comparisons."
    ]


def _settings(found: Comparison) -> Table:
    rows = [[key, *map(str, values)] for key, values in found.settings.items()]
    return Table("Settings that differ", ["setting", *found.runs], rows)
