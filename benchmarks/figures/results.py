"""The figures of a run's results: an arm of a suite over its seeds, or one run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from statistics import fmean

from benchmarks.figures.figure import Figure, Figures, count, difference, listed, point, seconds, share, times, words
from coopt.graph.topology import Edge
from coopt.runs.measures.probes import ALL_EDGES
from coopt.runs.results import ComparisonCell, ParetoCell, RankCell, Results, ScoreCell

_WORDS = {"better": "improves"}
"""A comparison with the initial students is a change."""


def figures_of(results: Results, changes: Sequence[ComparisonCell] = ()) -> Figures:
    """``changes``: of every method, mean of all students and domains, if they are worked out with an interval."""
    found: Figures = {"seeds": lambda: words(listed(results.seeds))}
    for part in (_scores, _comparisons, _pareto, _gates, _feedback, _rates, _others):
        found |= part(results)
    return found | {f"change {c.method}": partial(_compared, c, _WORDS) for c in changes}


def edge_word(edge: str) -> str:
    """An edge as one word."""
    return "->".join(Edge.parse(edge))


# -- scores ----------------------------------------------------------------------------------------


def _scores(results: Results) -> Figures:
    found: Figures = {f"score {c.who}": partial(share, c.score, c.low, c.high) for c in results.standings}
    groups: dict[str, list[ScoreCell]] = defaultdict(list)
    for c in (c for c in results.scores if c.change is not None):
        found[f"change {c.who} {c.student} {c.domain}"] = partial(_changed, c)
        found[f"collapsed {c.who} {c.student}"] = partial(count, len(c.collapsed), len(results.seeds))
        if c.native:
            found[f"native {c.who} {c.student}"] = partial(_changed, c)
        groups[f"change {c.who}"].append(c)
        groups[f"change {c.who} {c.student}"].append(c)
        groups[f"{'native' if c.native else 'foreign'} {c.who}"].append(c)
    return found | {name: partial(_mean, cells) for name, cells in groups.items()}


def _changed(c: ScoreCell) -> Figure:
    assert c.change is not None
    if c.change_low is None or c.change_high is None:
        return point(c.change, c.change_per_seed)
    return difference(c.change, c.change_low, c.change_high, c.change_per_seed, c.p, c.verdict)


def _mean(cells: Sequence[ScoreCell]) -> Figure:
    """Of cells that count alike, without an interval."""
    per_seed = [fmean(own) for own in zip(*(c.change_per_seed for c in cells), strict=True)]
    return point(fmean(c.change for c in cells if c.change is not None), per_seed)


# -- methods against methods -----------------------------------------------------------------------


def _comparisons(results: Results) -> Figures:
    found: Figures = {}
    for c in results.comparisons:
        name = f"{c.method}-{c.baseline}" + (f" {c.student}" if c.student != "all" else "")
        found[name] = partial(_compared, c)
        if c.of_oracle and c.student == "all":
            found[f"oracle {name}"] = partial(share, *c.of_oracle)
    return found


def _compared(c: ComparisonCell, renamed: dict[str, str] | None = None) -> Figure:
    verdict = (renamed or {}).get(c.verdict, c.verdict)
    return difference(c.difference, c.low, c.high, c.per_seed, c.p, verdict)


def _pareto(results: Results) -> Figures:
    found: Figures = {}
    for c in results.pareto:
        if c.student == "mutual":
            own = [p.point for p in results.pareto if p.method == c.method and p.student != "mutual"]
            found[f"mutual {c.method}"] = partial(_mutual, c)
            found[f"pareto {c.method}"] = partial(count, sum(own), len(own))
    return found


def _mutual(c: ParetoCell) -> Figure:
    raw = "yes" if c.point else "no"
    return Figure({"verdict": c.verdict, "raw": raw, "probability": f"{100 * c.probability:.0f}"}, verdict=c.verdict)


# -- gates and tutors ------------------------------------------------------------------------------


def _gates(results: Results) -> Figures:
    groups: dict[str, list[bool]] = defaultdict(list)
    for g in results.gates:
        for where in ("", f" {g.round}", f" {edge_word(g.edge)}"):
            groups[g.method + where].append(g.open)
    found: Figures = {f"open {name}": partial(count, sum(own), len(own)) for name, own in groups.items()}
    return found | {f"shut {name}": partial(count, len(own) - sum(own), len(own)) for name, own in groups.items()}


def _feedback(results: Results) -> Figures:
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for c in results.feedback:
        for name in (c.method, f"{c.method} {edge_word(c.edge)}"):
            own = (c.messages, c.outcomes["kept"], c.revealed, c.leaked)
            totals[name] = [a + b for a, b in zip(totals[name], own, strict=True)]
    found: Figures = {}
    for name, (messages, kept, revealed, leaked) in totals.items():
        found[f"kept {name}"] = partial(count, kept, messages)
        found[f"revealed {name}"] = partial(count, revealed, messages)
        found[f"leaked {name}"] = partial(count, leaked, kept)
    for committee in results.committees:
        accepted, written = sum(a.accepted for a in committee.authors), sum(a.written for a in committee.authors)
        found[f"accepted {committee.method}"] = partial(count, accepted, written)
    return found


def _rates(results: Results) -> Figures:
    found: Figures = {}
    for c in (c for c in results.break_rates if c.edge == ALL_EDGES):
        bin_ = "" if c.difficulty == "all" else f" {c.difficulty.partition('(')[2].rstrip(')')}"
        for name, rate in (("break", "break"), ("control", "break_control"), ("fix", "fix")):
            r = c.rates[rate]
            found[f"{name} {c.gate} {c.context}{bin_}"] = partial(share, r.rate, r.low, r.high, r.answers)
    for m in results.matched:
        by = "" if m.matched == "none" else " matched"
        where = "" if m.domain == "all" else f" {m.domain}"
        name = f"ratio {m.compared.replace(' / ', '/')}{by} {m.context}{where}"
        found[name] = partial(times, m.ratio, m.low, m.high)
    return found


def _others(results: Results) -> Figures:
    found: Figures = {f"rank {c.method} {c.rank}": partial(_ranked, c) for c in results.ranks}
    found |= {f"consensus {c.method} {c.round}": partial(share, c.distance, c.low, c.high) for c in results.consensus}
    return found | {f"seconds {c.method} {c.feedback}": partial(seconds, c.seconds_per_step) for c in results.costs}


def _ranked(c: RankCell) -> Figure:
    return difference(c.gain, c.low, c.high, c.per_seed, c.p, c.verdict)
