"""Tables of the break-rate probe: by edge and gate state, by difficulty, tutor x tutee."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.graph.topology import Edge
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE, POOLED
from coopt.runs.results import BreakCell, RateCell, Results

CONTEXT_WORDS = {"paper": "f, s if any", "sf": "s + f", "f": "f"}


def probe_tables(results: Results, names: Sequence[str]) -> list[Table]:
    """Break-rates alone, of a run that trains nothing. ``names``: what its students are."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate != ANY_STATE]
    edges = Table("Break- and fix-rates, percent", _break_columns("gate"), _break_rows(cells, by="gate"), [*names])
    return [t for t in (edges, difficulty_table(results), *break_matrices(results)) if t.rows]


def break_table(results: Results) -> Table:
    """Break- and fix-rates per edge and per gate state."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate != ANY_STATE]
    if break_matrices(results):  # they have the edges
        cells = [c for c in cells if c.edge in POOLED]
    note = (
        "break: correct answers that became wrong; fix: wrong ones that became correct. Initial students, validation"
        " questions, training temperature. n: answers, in brackets the questions that they are to. Control: the same"
        " rollouts again without f (with the same s); over control: the rate minus the control's. Context 'f, s if"
        " any' is the paper's (App. E): s is the earliest correct rollout, be it the one that is asked again; s + f is"
        " that of training."
    )
    return Table("Break- and fix-rates, percent", _break_columns("gate"), _break_rows(cells, by="gate"), [note])


def difficulty_table(results: Results) -> Table:
    """Break-rates by difficulty, edges grouped by their gate."""
    cells = [c for c in results.break_rates if c.edge == ALL_EDGES and c.difficulty != "all"]
    note = "Difficulty: wrong answers of eight before feedback."
    return Table(
        "Break-rates by difficulty, percent", _break_columns("difficulty"), _break_rows(cells, by="both"), [note]
    )


def _break_columns(middle: str) -> list[str]:
    return [
        "tutor -> tutee",
        middle,
        "context",
        "n correct",
        "break",
        "95 %",
        "over control",
        "95 %  ",
        "n wrong",
        "fix",
        "fix control",
    ]


def _break_rows(cells: Sequence[BreakCell], by: str) -> list[list[str]]:
    rows = []
    for cell in cells:
        broke, more, mended = (cell.rates[k] for k in ("break", "break_more", "fix"))
        rows.append(
            [
                cell.edge,
                cell.gate if by == "gate" else f"{cell.gate}, {cell.difficulty}",
                CONTEXT_WORDS[cell.context],
                _count(broke),
                "too few" if broke.rate is None else percent(broke.rate),
                span(broke.low, broke.high),
                signed(more.rate),
                span(more.low, more.high, "+.1f"),
                _count(mended),
                "too few" if mended.rate is None else percent(mended.rate),
                percent(cell.rates["fix_control"].rate),
            ]
        )
    return rows


def break_matrices(results: Results) -> list[Table]:
    """Break- and fix-rates, tutor x tutee, one table a context."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate == ANY_STATE]
    students = [n for n in results.native if any(Edge.parse(c.edge).tutee == n for c in cells)]
    tutors = list(dict.fromkeys(Edge.parse(c.edge).tutor for c in cells))
    if len({c.edge for c in cells}) < 4:
        return []
    return [
        Table(
            f"Tutor x tutee: {kind}-rate with {CONTEXT_WORDS[context]}, percent",
            ["tutor", *(f"-> {s}" for s in students)],
            [[t, *(_rate(cells, t, s, context, kind) for s in students)] for t in _in_order(results, tutors)],
            ["In brackets the control: the same answers again without f (with the same s)."],
        )
        for context in CONTEXT_WORDS
        if any(c.context == context for c in cells)
        for kind in ("break", "fix")
    ]


def _in_order(results: Results, names: Sequence[str]) -> list[str]:
    """The graph's: students, then critics."""
    return [*(n for n in results.native if n in names), *(n for n in names if n not in results.native)]


def _rate(cells: Sequence[BreakCell], tutor: str, tutee: str, context: str, kind: str) -> str:
    rates = next((c.rates for c in cells if c.edge == f"{tutor} -> {tutee}" and c.context == context), None)
    if rates is None:
        return NONE
    if rates[kind].rate is None:
        return "too few"
    return f"{percent(rates[kind].rate)} ({percent(rates[f'{kind}_control'].rate)})"


def _count(cell: RateCell) -> str:
    """Answers, and the questions that they are to."""
    return f"{cell.answers} ({cell.questions})"
