"""How answers were read, and what could not be."""

from __future__ import annotations

from coopt.core.names import BASE
from coopt.core.tables.cells import NONE, percent
from coopt.core.tables.table import Table
from coopt.runs.results import ReadingCell, Results

_WORTH_SAYING = 0.01  # of all answers


def reading_table(results: Results) -> Table:
    """What could not be read, was cut off, or is read otherwise in the other way; only where there is some of it."""
    rows = [
        [
            c.who,
            NONE if c.who == BASE else c.student,
            c.domain or f"rollouts, round {c.round}",
            f"{c.answers:,}",
            percent(c.unparsed),
            percent(c.unfinished),
            percent(c.read_otherwise),
            f"{c.tokens:,.0f}",
        ]
        for c in results.readings
        if _is_worth_saying(c)
    ]
    columns = ["method", "student", "answers to", "answers", "not read", "cut off", "read otherwise", "mean tokens"]
    note = (
        "not read: no answer was found; cut off: at sampling.max_response_tokens; read otherwise:"
        " data.extraction = lenient finds another answer (of a run with lenient: sdpo does). Left out: where all three"
        " are below 1 and nothing is read otherwise."
    )
    return Table("Answers as they were read, percent", columns, rows, [note])


def _is_worth_saying(cell: ReadingCell) -> bool:
    return bool(cell.read_otherwise) or max(cell.unparsed, cell.unfinished) >= _WORTH_SAYING
