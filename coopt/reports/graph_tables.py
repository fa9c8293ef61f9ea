"""Tables that only a graph of several students has: ranks, consensus, edges over rounds, hostile tutors."""

from __future__ import annotations

from collections.abc import Sequence

from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.reports.verdicts import reasons, worded
from coopt.runs.measures.probes import ALL_EDGES
from coopt.runs.order import by_edge
from coopt.runs.results import GateCell, Results

_SHOWN_DECISIONS = 48
_FEW_EDGES = 4


def decisions(results: Results) -> list[GateCell]:
    """The decisions that decided something."""
    return [g for g in results.gates if g.reason not in ("always", "never")]


def _is_read_by_rounds(results: Results) -> bool:
    """Whether single decisions are too many to read, or are few but on many edges."""
    return len(decisions(results)) > _SHOWN_DECISIONS or len({g.edge for g in results.gates}) > _FEW_EDGES


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
            worded(c.verdict, c.low, c.high, c.p),
        ]
        for c in results.ranks
    ]
    note = "Mean of all domains, test split; rank 1 was the strongest at the start of its seed."
    columns = ["method", "rank", "students", "gain", "95 %", "per seed", "verdict"]
    return Table("Gain by initial rank, percent", columns, rows, [note, *reasons(rows)])


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
    if decisions(results) and not _is_read_by_rounds(results):
        return Table("Open edges", [], [])
    rounds = sorted({g.round for g in results.gates})
    rows = []
    for method in dict.fromkeys(g.method for g in results.gates):
        own: dict[tuple[str, int], list[GateCell]] = {}
        for g in results.gates:
            if g.method == method:
                own.setdefault((g.edge, g.round), []).append(g)
                own.setdefault((ALL_EDGES, g.round), []).append(g)
        for edge in sorted({edge for edge, _ in own}, key=by_edge(results.native)):
            rows.append([method, edge, *(_open(results, own.get((edge, r), [])) for r in rounds)])
    note = (
        "Percent of seeds in which an edge was open (of its domains, with a gate by domain), in brackets the mean gap;"
        " –: no such edge then. Intervals and P(flip) of every decision: --section gates --format csv."
    )
    return Table("Open edges by round, percent", ["method", "tutor -> tutee", *map(str, rounds)], rows, [note])


def _open(results: Results, gates: Sequence[GateCell]) -> str:
    if not gates:
        return NONE
    shares = [(len(g.domains) / len(results.domains) if g.domains else 1.0) if g.open else 0.0 for g in gates]
    gaps = [g.gap for g in gates if g.gap is not None]
    mean = f" ({sum(gaps) / len(gaps):.2f})" if gaps else ""
    return percent(sum(shares) / len(shares), 0) + mean


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
