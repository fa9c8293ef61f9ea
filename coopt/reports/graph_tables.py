"""Tables that only a graph of several students has: ranks, consensus, edges over rounds, break-rate matrices,
hostile tutors."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.metrics.probes import ANY_STATE
from coopt.metrics.results import BreakCell, GateCell, Results
from coopt.reports.cells import NONE, percent, signed, span
from coopt.reports.table import Table

_SHOWN_DECISIONS = 48
_FEW_EDGES = 4
CONTEXT_WORDS = {"f": "f", "sf": "s + f"}


def decisions(results: Results) -> list[GateCell]:
    """The decisions that decided something; none where a row for each would be too long to read."""
    found = [g for g in results.gates if g.reason not in ("always", "never")]
    return found if len(found) <= _SHOWN_DECISIONS else []


def _many_edges(results: Results) -> bool:
    return len({g.edge for g in results.gates}) > _FEW_EDGES


def rank_table(results: Results) -> Table:
    """Gain by initial rank: do the strong gain too?"""
    if len(results.native) < 3:
        return Table("Gain by initial rank", [], [])
    rows = [
        [
            c.method,
            str(c.rank),
            " ".join(dict.fromkeys(c.students)),
            signed(c.gain),
            span(c.low, c.high, "+.1f"),
            " ".join(signed(x) for x in c.per_seed),
            c.verdict,
        ]
        for c in results.ranks
    ]
    note = "Mean of all domains, test split; rank 1 was the strongest at the start of its seed."
    columns = ["method", "rank", "students", "gain", "95 %", "per seed", "verdict"]
    return Table("Gain by initial rank, percent", columns, rows, [note])


def consensus_table(results: Results) -> Table:
    """Consensus distance after every round."""
    rounds = sorted({c.round for c in results.consensus})
    rows = []
    for method in dict.fromkeys(c.method for c in results.consensus):
        own = {c.round: c for c in results.consensus if c.method == method}
        cells = [own.get(r) for r in rounds]  # a method may have fewer rounds than another
        rows.append([method, *(f"{percent(c.distance)} {span(c.low, c.high)}" if c else NONE for c in cells)])
    note = "Probability that two random students answer a validation question differently, with its 95 % interval."
    columns = ["method", *("start" if r == 0 else f"round {r}" for r in rounds)]
    return Table("Consensus distance, percent", columns, rows, [note])


def history_table(results: Results) -> Table:
    """Which edges were open in which round: the share of seeds (and domains) in which they were."""
    if decisions(results) and not _many_edges(results):
        return Table("Open edges", [], [])
    rounds = sorted({g.round for g in results.gates})
    rows = []
    for method in dict.fromkeys(g.method for g in results.gates):
        own = [g for g in results.gates if g.method == method]
        rows.append([method, "all edges", *(_open(results, [g for g in own if g.round == r]) for r in rounds)])
        for edge in dict.fromkeys(g.edge for g in own):
            cells = [[g for g in own if g.edge == edge and g.round == r] for r in rounds]
            rows.append([method, edge, *(_open(results, c) for c in cells)])
    note = (
        "Percent of seeds in which an edge was open (of its domains, with a gate by domain), in brackets the mean gap;"
        " –: no such edge then. Intervals and P(flip) of every decision: coopt report --format json, results.json."
    )
    return Table("Open edges by round, percent", ["method", "tutor -> tutee", *map(str, rounds)], rows, [note])


def _open(results: Results, gates: Sequence[GateCell]) -> str:
    if not gates:
        return NONE
    shares = [(len(g.domains) / len(results.domains) if g.domains else 1.0) if g.open else 0.0 for g in gates]
    gaps = [g.gap for g in gates if g.gap is not None]
    mean = f" ({sum(gaps) / len(gaps):.2f})" if gaps else ""
    return percent(sum(shares) / len(shares), 0) + mean


def break_matrices(results: Results) -> list[Table]:
    """Break- and fix-rates, tutor x tutee, one table a context."""
    cells = [c for c in results.break_rates if c.difficulty == "all" and c.gate == ANY_STATE]
    students = [n for n in results.native if any(c.edge.endswith(f" -> {n}") for c in cells)]
    tutors = list(dict.fromkeys(c.edge.split(" -> ")[0] for c in cells))
    if len({c.edge for c in cells}) < 4:
        return []
    return [
        Table(
            f"Tutor x tutee: {kind}-rate with {CONTEXT_WORDS[context]}, percent",
            ["tutor", *(f"-> {s}" for s in students)],
            [[t, *(_rate(cells, t, s, context, kind) for s in students)] for t in sorted(tutors)],
            ["In brackets the control: the same answers again without f (for s + f: with s only)."],
        )
        for context in ("f", "sf")
        for kind in ("break", "fix")
    ]


def _rate(cells: Sequence[BreakCell], tutor: str, tutee: str, context: str, kind: str) -> str:
    rates = next((c.rates for c in cells if c.edge == f"{tutor} -> {tutee}" and c.context == context), None)
    if rates is None:
        return NONE
    if rates[kind][1] is None:
        return "too few"
    return f"{percent(rates[kind][1])} ({percent(rates[f'{kind}_control'][1])})"


def hostile_table(results: Results) -> Table:
    """What gate, anchor and sanitiser let through of hostile tutors."""
    rows = [
        [
            c.method,
            c.edge,
            c.kind,
            f"{c.rounds_open} of {c.rounds}",
            str(c.messages),
            percent(c.kept / max(1, c.messages)),
            percent(c.voted_down / max(1, c.kept)),
            percent(c.revealed / max(1, c.messages)),
            percent(c.leaked / max(1, c.kept)),
        ]
        for c in results.hostile
    ]
    note = (
        "Open rounds are the gate's work, kept messages what anchor and sanitiser let through, voted down what a"
        " committee stopped. revealed: gave the answer away as written; leaked: kept, and still does. What it cost the"
        " tutees stands under 'Methods compared' (opcod - honest)."
    )
    columns = ["method", "tutor -> tutee", "kind", "rounds open", "messages", "kept, %", "voted down, %", "revealed, %",
               "leaked, %"]  # fmt: skip
    return Table("Hostile tutors", columns, rows, [note])
