"""What most readers of a run want to know, on one screen of 80 columns: warnings first, then who improved and by how
much, gates, cost. Everything else is in ``coopt.reports.sections``."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from coopt.core.names import INIT
from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.runs.results import ComparisonCell, Results, ScoreCell

_FEW_QUESTIONS = 30
_UNREAD = 0.5
_CELLS, _METHODS = 12, 3
"""A table of students has so many rows and methods at most; above it is one of methods."""
_SAID = 5
"""Methods with a sentence of their own."""
_SHOWN = {"improves": "*", "worse": "*"}


def headline(results: Results) -> list[str]:
    """Lines above the table."""
    methods = _best_first(results)
    lines = [*warnings(results), *(_sentence(results, m) for m in methods[:_SAID])]
    if len(methods) > _SAID:
        lines.append(f"{len(methods) - _SAID} more methods: see the table.")
    if methods:
        lines.append(_whom_it_is_about(results))
    return lines


def warnings(results: Results) -> list[str]:
    """What makes the numbers below worth little."""
    found = []
    own = [c for c in results.scores if c.who not in ("base",)]
    if own and not any(c.score for c in own):
        found.append("every score is 0.")
    unread = [c for c in results.readings if c.unparsed > _UNREAD]
    if unread:
        worst = max(unread, key=lambda c: c.unparsed)
        found.append(
            f"no answer could be read in {percent(worst.unparsed, 0)} % of {worst.student}'s ({worst.who}) responses"
            f"{' in ' + worst.domain if worst.domain else ''}; more: --section answers."
        )
    if results.no_own_correct == 1:
        found.append("no prompt of the first steps had a correct rollout: there was nothing to learn from.")
    few = [c for c in results.constants if c.questions < _FEW_QUESTIONS]
    if few:
        found.append("few test questions: " + ", ".join(f"{c.questions} in {c.domain}" for c in few) + ".")
    if results.unavailable:
        found.append(f"tutors behind an endpoint were unavailable in {len(results.unavailable)} rounds.")
    return [f"WARNING: {text}" for text in found]


def _best_first(results: Results) -> list[str]:
    """By mean score; a run of few methods keeps its order."""
    if len(results.methods) <= _SAID:
        return list(results.methods)
    return sorted(results.methods, key=lambda m: -fmean(c.score for c in _own(results, m)))


def _own(results: Results, who: str) -> list[ScoreCell]:
    return [c for c in results.scores if c.who == who]


def _sentence(results: Results, method: str) -> str:
    """Who improved, by how much, against the baseline, how sure."""
    cells = _own(results, method)
    moved = [c.change for c in cells if c.change is not None]
    counts = [(word, sum(c.verdict == v for c in cells)) for word, v in (("improved", "improves"), ("worse", "worse"))]
    shown = ", ".join(f"{n} of {len(cells)} scores shown {word}" for word, n in counts if n)
    parts = [f"{method}: mean change {signed(fmean(moved))} points ({shown or 'no change shown'})"]
    against = _against(results, method)
    if against:
        parts.append(
            f"against {against.baseline} {signed(against.difference)} {span(against.low, against.high, '+.1f')}"
            f" ({against.verdict})"
        )
    mutual = next((c for c in results.pareto if c.method == method and c.student == "mutual"), None)
    if mutual and len(results.native) > 1:
        words = {"yes": "shown", "no": "a loss is shown", "not settled": "not settled"}
        parts.append(f"mutual Pareto improvement: {'yes' if mutual.point else 'no'} as scored, {words[mutual.verdict]}")
    return "; ".join(parts) + "."


def _against(results: Results, method: str) -> ComparisonCell | None:
    """The comparison with the run's first method, of all students."""
    baseline = results.methods[0]
    own = [c for c in results.comparisons if c.method == method and c.baseline == baseline]
    whole = [c for c in own if c.student == "all"] or own
    return whole[0] if whole else None


def _whom_it_is_about(results: Results) -> str:
    seeds = f"seed{'s' * (len(results.seeds) > 1)} {', '.join(map(str, results.seeds))}"
    if len(results.seeds) < LEAST_SEEDS:
        return f"With {seeds} this is about these students only; for others: --seeds 5."
    return f"Over {seeds}: about other specialists and other orders of prompts, too."


def headline_table(results: Results) -> Table:
    """Students x domains where they fit, else methods."""
    starts = _own(results, INIT)
    if len(starts) <= _CELLS and len(results.methods) <= _METHODS:
        return _of_students(results, starts)
    return _of_methods(results, starts)


def _of_students(results: Results, starts: Sequence[ScoreCell]) -> Table:
    rows = []
    for start in starts:
        ends = [
            next(c for c in _own(results, m) if (c.student, c.domain) == (start.student, start.domain))
            for m in results.methods
        ]
        name = f"{start.student} {start.domain}" + ("\n(native)" if start.native else "")
        rows.append([name, percent(start.score), *map(_end, ends)])
    sizes = sorted({c.questions for c in results.constants})
    note = (
        f"avg@{starts[0].samples} in percent, {' to '.join(map(str, sizes))} test questions per domain; change with its"
        " 95 % interval; *: shown (docs/statistics.md)."
    )
    return Table("Scores", ["student", "start", *results.methods], rows, [note])


def _end(cell: ScoreCell) -> str:
    change = f"{signed(cell.change)}{_SHOWN.get(cell.verdict, '')}{' collapsed' if cell.collapsed else ''}"
    return f"{percent(cell.score)}  {change}\n{span(cell.change_low, cell.change_high, '+.1f')}"


def _of_methods(results: Results, starts: Sequence[ScoreCell]) -> Table:
    """Means of all students and domains."""
    rows = [[INIT, percent(fmean(c.score for c in starts)), *[NONE] * 4]]
    for method in _best_first(results):
        own = _own(results, method)
        against = _against(results, method)
        changes = [c.change for c in own if c.change is not None]
        rows.append(
            [
                method,
                percent(fmean(c.score for c in own)),
                signed(fmean(changes)),
                f"{signed(min(changes))} to {signed(max(changes))}",
                f"{sum(c.verdict == 'improves' for c in own)} / {sum(c.verdict == 'worse' for c in own)}",
                f"{signed(against.difference)} {span(against.low, against.high, '+.1f')}" if against else NONE,
            ]
        )
    columns = ["method", "score", "change", "of a score", "shown +/-", f"against {(results.methods or ['–'])[0]}"]
    note = (
        f"Percent, means of {len(results.native)} students x {len(results.domains)} domains ({len(starts)} scores);"
        " shown +/-: how many are shown to be better or worse than at the start. Each student: --section scores."
    )
    return Table("Methods", columns, rows, [note])


def footlines(results: Results, run: str) -> list[str]:
    """Gates, cost, and where to look next."""
    lines = []
    for method in results.methods:
        own = [g for g in results.gates if g.method == method and g.reason not in ("always", "never")]
        if own:
            lines.append(f"Gates of {method}: {sum(g.open for g in own)} of {len(own)} decisions open.")
    costs = [
        f"{m} {sum(c.seconds_per_step * c.steps for c in steps) / max(1, sum(c.steps for c in steps)):.2f}"
        for m in results.methods
        if (steps := [c for c in results.costs if c.method == m])
    ]
    if costs:
        memory = max(c.peak_memory_gib for c in results.costs)
        lines.append(f"Cost: seconds per training step: {', '.join(costs)}; {memory:.1f} GiB per worker at most.")
    return [
        *lines,
        f"Everything: coopt report {run} --all     one part: --section break-rates",
        f"A page:     coopt report {run} --html    for pandas: coopt export {run}",
    ]
