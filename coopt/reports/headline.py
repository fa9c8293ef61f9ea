"""What most readers of a run want to know, on one screen of 80 columns: warnings first, then who improved and by how
much, gates, cost. Everything else is in ``coopt.reports.sections``."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from coopt.core.names import BASE, INIT
from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.statistics.verdicts import FEW
from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.core.tables.table import Table
from coopt.reports.verdicts import CORRECTED, HOLM, in_a_sentence, worded
from coopt.runs.results import ComparisonCell, Results, ScoreCell

_FEW_QUESTIONS = 30
_UNREAD = 0.5
_CELLS, _METHODS = 12, 3
"""A table of students has so many rows and methods at most; above it is one of methods."""
_SAID = 5
"""Methods with a sentence of their own."""
SMOKE = "a smoke run: its scores mean nothing."
_SHOWN = {"improves": "*", "worse": "*"}


def headline(results: Results) -> list[str]:
    """Lines above the table."""
    methods = _best_first(results)
    lines = [*warnings(results), *(_sentence(results, m) for m in methods[:_SAID])]
    if len(methods) > _SAID:
        more = len(methods) - _SAID
        lines.append(f"{more} more method{'s' * (more > 1)}: see the table.")
    if methods and len(results.seeds) >= LEAST_SEEDS:
        seeds = ", ".join(map(str, results.seeds))
        lines.append(f"Over seeds {seeds}: about other specialists and other orders of prompts, too.")
    return lines


def warnings(results: Results) -> list[str]:
    """What makes the numbers below worth little, and what to do: a line of 80 columns each."""
    found = [
        SMOKE if results.smoke else "",
        _all_zero(results),
        _nothing_read(results),
        _nothing_right(results),
        _few_questions(results),
        _few_seeds(results),
        _away(results),
    ]
    return [f"WARNING: {text}" for text in found if text]


def _all_zero(results: Results) -> str:
    own = [c for c in results.scores if c.who != BASE]
    zero = own and not any(c.score for c in own)
    return "every score is 0. Read what was answered: --section answers, --html." if zero else ""


def _nothing_read(results: Results) -> str:
    """No rollout at all, or most of what somebody wrote."""
    rollouts = [c for c in results.readings if c.round is not None]
    if rollouts and all(c.unparsed == 1 for c in rollouts):
        return "no rollout was parsed. Try --set data.extraction=lenient."
    unread = [c for c in results.readings if c.unparsed > _UNREAD]
    if not unread:
        return ""
    worst = max(unread, key=lambda c: c.unparsed)
    where = f"{worst.student} ({worst.who}){f', {worst.domain}' if worst.domain else ''}"
    return f"{where}: {percent(worst.unparsed, 0)} % of answers not read. See --section answers."


def _nothing_right(results: Results) -> str:
    """The first steps say whether there was anything to learn from."""
    if results.no_own_correct != 1:
        return ""
    return "no prompt had a correct rollout. Use a stronger base or easier rows."


def _few_questions(results: Results) -> str:
    few = [c for c in results.constants if c.questions < _FEW_QUESTIONS]
    if not few:
        return ""
    sizes = sorted({c.questions for c in few})
    shown = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    names = few[0].domain if len(few) == 1 else f"{len(few)} domains"
    return f"n = {shown} in {names} (fewer than {_FEW_QUESTIONS}). Use --set data.test=200."


def _few_seeds(results: Results) -> str:
    count = len(results.seeds)
    if count >= LEAST_SEEDS or not results.methods:
        return ""
    return f"{'one seed' if count == 1 else f'{count} seeds'}: about these students only. For others: --seeds 5."


def _away(results: Results) -> str:
    away = len(results.unavailable)
    return f"tutors did not answer in {away} round{'s' * (away > 1)}: --section feedback." if away else ""


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
    corrected = any(worded(c.verdict, c.change_low, c.change_high, c.p) == HOLM for c in cells)
    none = f"no change shown{f', {CORRECTED}' * corrected}"
    if all(c.verdict == FEW for c in cells):
        none = FEW
    parts = [f"{method}: mean change {signed(fmean(moved))} points ({shown or none})"]
    versus = against(results, method)
    if versus:
        verdict = in_a_sentence(versus.verdict, versus.low, versus.high, versus.p)
        found = f"{signed(versus.difference)} {span(versus.low, versus.high, '+.1f')}"
        parts.append(f"against {versus.baseline} {found} ({verdict})")
    mutual = next((c for c in results.pareto if c.method == method and c.student == "mutual"), None)
    if mutual and len(results.native) > 1:
        verdict = "no (a loss is shown)" if mutual.verdict == "no" else mutual.verdict
        parts.append(f"mutual Pareto improvement: {'yes' if mutual.point else 'no'} by the scores, verdict: {verdict}")
    return "; ".join(parts) + "."


def against(results: Results, method: str) -> ComparisonCell | None:
    """The comparison with the run's first method, of all students."""
    baseline = results.methods[0]
    own = [c for c in results.comparisons if c.method == method and c.baseline == baseline]
    whole = [c for c in own if c.student == "all"] or own
    return whole[0] if whole else None


def headline_table(results: Results) -> Table:
    """Students x domains where they fit, else methods."""
    starts = _own(results, INIT)
    if len(starts) <= _CELLS and len(results.methods) <= _METHODS:
        return _of_students(results, starts)
    return methods_table(results)


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
        " 95 % interval (for that change alone); *: shown after Holm's correction for all that the run claims"
        " (docs/statistics.md)."
    )
    return Table("Scores", ["student", "start", *results.methods], rows, [note])


def _end(cell: ScoreCell) -> str:
    change = f"{signed(cell.change)}{_SHOWN.get(cell.verdict, '')}{' collapsed' if cell.collapsed else ''}"
    return f"{percent(cell.score)}  {change}\n{span(cell.change_low, cell.change_high, '+.1f')}"


def methods_table(results: Results) -> Table:
    """Means of all students and domains."""
    starts = _own(results, INIT)
    rows = [[INIT, percent(fmean(c.score for c in starts)), *[NONE] * 4]]
    for method in _best_first(results):
        own = _own(results, method)
        versus = against(results, method)
        changes = [c.change for c in own if c.change is not None]
        rows.append(
            [
                method,
                percent(fmean(c.score for c in own)),
                signed(fmean(changes)),
                f"{signed(min(changes))} to {signed(max(changes))}",
                f"{sum(c.verdict == 'improves' for c in own)} / {sum(c.verdict == 'worse' for c in own)}",
                f"{signed(versus.difference)} {span(versus.low, versus.high, '+.1f')}" if versus else NONE,
            ]
        )
    columns = ["method", "score", "change", "range", "shown +/-", f"against {(results.methods or ['–'])[0]}"]
    note = (
        f"Percent, means of {len(results.native)} students x {len(results.domains)} domains ({len(starts)} scores);"
        " range: the smallest and the largest change of a score; shown +/-: how many are shown to be better or worse"
        " than at the start. Each student: --section scores."
    )
    return Table("Methods", columns, rows, [note])


def smoke_lines(results: Results, run: str, students: str) -> list[str]:
    """All that a smoke run ends with. ``students``: where the trained ones lie in the run."""
    sizes = sorted({c.questions for c in results.constants})
    shown = " to ".join(map(str, sizes[:1] + sizes[1:][-1:]))
    return [
        f"Smoke run finished: every part worked. Its scores mean nothing (n = {shown}).",
        f"Tables: coopt report {run} --all (or --html)",
        f"Students: {run}/{students}",
    ]


def footlines(results: Results, run: str) -> list[str]:
    """Gates, cost, and where to look next."""
    lines = []
    gates = {
        m: own
        for m in results.methods
        if (own := [g for g in results.gates if g.method == m and g.reason not in ("always", "never")])
    }
    if gates:
        counts = [f"of {m}: {sum(g.open for g in own)} of {len(own)}" for m, own in gates.items()]
        lines.append(f"Gates {'; '.join([f'{counts[0]} decisions open', *counts[1:]])}.")
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
        f"Every table: coopt report {run} --all (one part: --section break-rates)",
        f"A page:      coopt report {run} --html",
        f"For pandas:  coopt export {run}",
    ]
