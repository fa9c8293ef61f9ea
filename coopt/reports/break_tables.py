"""Tables of the break-rate probe: by edge and gate state, by difficulty, tutor x tutee."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.graph.topology import Edge
from coopt.runs.measures.probes import ALL_EDGES, ANY_STATE, POOLED
from coopt.runs.order import by_node
from coopt.runs.results import BreakCell, RateCell, Results

_FEWEST_EDGES = 4
CONTEXT_WORDS = {"paper": "f, s if any", "sf": "s + f", "f": "f"}


def probe_tables(results: Results, names: Sequence[str]) -> list[Table]:
    """Break-rates alone, of a run that trains nothing. ``names``: what its students are."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate != ANY_STATE]
    edges = Table("Break- and fix-rates, percent", _break_columns("gate"), _break_rows(cells, by="gate"), [*names])
    return [t for t in (edges, matched_table(results), difficulty_table(results), *break_matrices(results)) if t.rows]


def break_table(results: Results, *, edges: bool = True) -> Table:
    """Break- and fix-rates per gate state: of each edge, and of all edges together (``edges``: not these alone)."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate != ANY_STATE]
    if not edges:
        cells = [c for c in cells if c.edge in POOLED]
    note = (
        "break: correct answers that became wrong; fix: wrong ones that became correct. Initial students, validation"
        " questions, training temperature. n: answers, in brackets the questions that they are to. Control: the same"
        " rollouts again without f (with the same s); over control: the rate minus the control's. Context 'f, s if"
        " any' is the paper's (App. E): s is the earliest correct rollout, be it the one that is asked again; s + f is"
        " that of training."
    )
    rest = [] if edges else ["Each edge: --section matrix; by gate state: --section break-rates --format csv."]
    return Table("Break- and fix-rates, percent", _break_columns("gate"), _break_rows(cells, by="gate"), [*rest, note])


def matched_table(results: Results) -> Table:
    """Kinds of edges on the same tutees: a ratio of all edges may be one of whom they tutor."""
    note = (
        "Break-rate of the first kind of edges (or of the tutor's domains) over the second's, pooled over the tutees"
        " (and domains) that have both (Mantel and Haenszel). 'none': over all, whoever their tutees are, as in the"
        " paper, whose closed / open is 2.4, and 1.4 in the tutor's stronger domain."
    )
    rows = [
        [
            c.compared,
            c.domain,
            c.matched if c.strata == 1 and c.matched == "none" else f"{c.matched} ({c.strata})",
            CONTEXT_WORDS[c.context],
            f"{_count(c.first)}, {_count(c.second)}",
            "too few" if c.first.rate is None else percent(c.first.rate),
            "too few" if c.second.rate is None else percent(c.second.rate),
            NONE if c.ratio is None else f"{c.ratio:.2f}",
            NONE if c.low is None or c.high is None else f"[{c.low:.2f}, {c.high:.2f}]",
        ]
        for c in results.matched
    ]
    columns = ["kinds", "tutor's domain", "matched by", "context", "n correct", "first", "second", "ratio", "95 %"]
    return Table("Break-rates on the same tutees, percent", columns, rows, [note])


def edge_table(results: Results) -> Table:
    """Break- and fix-rates per edge, in any gate state: the matrices, an edge a row."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate == ANY_STATE]
    columns = _break_columns("gate")
    gate = columns.index("gate")
    rows = [[*row[:gate], *row[gate + 1 :]] for row in _break_rows(cells, by="gate")]
    return Table("Break- and fix-rates by edge, percent", [*columns[:gate], *columns[gate + 1 :]], rows)


def has_matrices(results: Results) -> bool:
    """Whether there are edges enough for tables of tutor x tutee."""
    return len({c.edge for c in results.break_rates if c.edge not in POOLED}) >= _FEWEST_EDGES


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
    if not has_matrices(results):
        return []
    cells: dict[tuple[str, str], Mapping[str, RateCell]] = {
        (c.edge, c.context): c.rates for c in results.break_rates if c.difficulty == "all" and c.gate == ANY_STATE
    }
    ends = [Edge.parse(edge) for edge in dict.fromkeys(edge for edge, _ in cells)]
    order = by_node(results.native)
    tutors, tutees = (sorted(names, key=order) for names in ({e.tutor for e in ends}, {e.tutee for e in ends}))
    return [
        Table(
            f"Tutor x tutee: {kind}-rate with {CONTEXT_WORDS[context]}, percent",
            ["tutor", *(f"-> {s}" for s in tutees)],
            [[t, *(_rate(cells.get((f"{t} -> {s}", context)), kind) for s in tutees)] for t in tutors],
            ["In brackets the control: the same answers again without f (with the same s)."],
        )
        for context in CONTEXT_WORDS
        if any(seen == context for _, seen in cells)
        for kind in ("break", "fix")
    ]


def _rate(rates: Mapping[str, RateCell] | None, kind: str) -> str:
    if rates is None:
        return NONE
    if rates[kind].rate is None:
        return "too few"
    return f"{percent(rates[kind].rate)} ({percent(rates[f'{kind}_control'].rate)})"


def _count(cell: RateCell) -> str:
    """Answers, and the questions that they are to."""
    return f"{cell.answers} ({cell.questions})"
