"""The tables of a sweep: its plan, its arms, and the shipped suites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from coopt.core.statistics.crossed import LEAST_SEEDS
from coopt.core.tables.cells import NONE, domain_of, duration, percent, places, signed, span, yes
from coopt.core.tables.table import Table
from coopt.driver.sweep.cells import Cell
from coopt.driver.sweep.estimate import TimeEstimate
from coopt.driver.sweep.results import ArmState
from coopt.reports.comparison import FEW_SEEDS, INTERVALS, PARETO_RULE, RANK, RANK_NOTE, differences_table
from coopt.reports.tables import collapsed_note, verdict_words
from coopt.reports.verdicts import reasons, worded
from coopt.runs.compare import Comparison
from coopt.runs.results import Results
from coopt.runs.run import is_run

_COLUMNS = ["arm", "method", *RANK, "change", "95 %", "per seed", "verdict", "mutual Pareto", "P, %",
            "n", "seeds"]  # fmt: skip


def arm_table(states: Sequence[ArmState], between: Sequence[Comparison]) -> Table:
    """One row an arm and method, ranked where the arms can be compared; an arm that is missing says so."""
    ranked = {tuple(line.side): line.rank for found in between for line in found.lines}
    rows = []
    for state in states:
        if state.found is None:
            rows.append([state.arm, NONE, NONE, NONE, "not run", *[NONE] * 6, _seeds([], state.missing)])
            continue
        results = state.found.results
        mutual = {c.method: c for c in results.pareto if c.student == "mutual"}
        for cell in state.found.changes:
            pareto = mutual[cell.method]
            rows.append(
                [
                    state.arm,
                    cell.method,
                    *places(ranked.get((state.arm, cell.method))),
                    signed(cell.difference),
                    span(cell.low, cell.high, "+.1f"),
                    " ".join(map(signed, cell.per_seed)),
                    worded({"better": "improves"}.get(cell.verdict, cell.verdict), cell.low, cell.high, cell.p),
                    f"{yes(pareto.point)} ({pareto.verdict})",
                    percent(pareto.probability, 0),
                    _count(results),
                    _seeds(results.seeds, state.missing),
                ]
            )
    notes = [
        "change: against the initial students, mean of all students and domains, percentage points. n: test questions"
        f" of all domains x answers. {INTERVALS}",
        "mutual Pareto: for every student no domain lower and one higher, in brackets its verdict; P: its probability."
        f" {PARETO_RULE}",
    ]
    single = [state.arm for state in states if state.found and len(state.found.results.seeds) < LEAST_SEEDS]
    if single:
        notes.append(f"{FEW_SEEDS} This applies to: {', '.join(single)}.")
    notes += [f"Ranked together, in seeds {' '.join(map(str, b.seeds))}: {', '.join(b.runs)}." for b in between]
    if between:
        notes.append(RANK_NOTE)
    notes += reasons(rows)
    shown = [k for k, name in enumerate(_COLUMNS) if between or name not in RANK]
    return Table("Arms", [_COLUMNS[k] for k in shown], [[row[k] for k in shown] for row in rows], notes)


def _count(results: Results) -> str:
    return f"{sum(c.questions for c in results.constants)} x {results.scores[0].samples}"


def _seeds(done: Sequence[int], missing: Sequence[int]) -> str:
    parts = [" ".join(map(str, done)), f"missing: {' '.join(map(str, missing))}" if missing else ""]
    return ", ".join(p for p in parts if p)


def comparison_table(states: Sequence[ArmState]) -> Table:
    """Within each arm, its methods against its first one and those that they are set against."""
    rows = []
    for state in states:
        cells = state.found.results.comparisons if state.found else []
        alone = state.found is not None and len(state.found.results.native) == 1
        for c in cells:
            if c.student == "all" or alone:
                per_seed = " ".join(map(signed, c.per_seed))
                span_, verdict = span(c.low, c.high, "+.1f"), worded(c.verdict, c.low, c.high, c.p)
                rows.append([state.arm, f"{c.method} - {c.baseline}", signed(c.difference), span_, per_seed, verdict])
    columns = ["arm", "methods", "difference", "95 %", "per seed", "verdict"]
    title = "Methods compared within an arm, mean of all students and domains, percent"
    return Table(title, columns, rows, reasons(rows))


def validation_table(states: Sequence[ArmState]) -> Table:
    """What settings may be chosen by."""
    rows = [
        [state.arm, method, percent(start), percent(end), signed(end - start)]
        for state in states
        if state.found
        for method, (start, end) in state.found.validation.items()
    ]
    note = (
        "Mean of all students and domains, before and after the last round. Choose settings by these; test scores are"
        " for what was chosen."
    )
    return Table("Validation scores, percent", ["arm", "method", "start", "end", "change"], rows, [note])


def between_table(between: Comparison) -> Table:
    """Methods of different arms, paired over questions, in the seeds that all these arms have."""
    title = f"Arms compared, difference of the changes, percent: {', '.join(between.runs)}"
    return replace(differences_table(between), title=title)


def change_table(states: Sequence[ArmState]) -> Table:
    """Change of every student in every domain."""
    rows = [
        [
            state.arm,
            c.who,
            c.student,
            domain_of(c.domain, c.native),
            percent(c.score),
            signed(c.change),
            span(c.change_low, c.change_high, "+.1f"),
            verdict_words(c),
            str(c.questions),
        ]
        for state in states
        if state.found
        for c in state.found.results.scores
        if c.change is not None
    ]
    columns = ["arm", "method", "student", "domain", "avg@k", "change", "95 %", "verdict", "n"]
    notes = ["Verdicts here, and those of mutual Pareto, are corrected within each arm."]
    for state in states:
        notes += collapsed_note(state.found.results.scores, f"{state.arm}, ") if state.found else []
    return Table("Change by student and domain, percent", columns, rows, notes + reasons(rows))


def sweep_tables(states: Sequence[ArmState], between: Sequence[Comparison]) -> list[Table]:
    """Every table that has something to show."""
    across = [between_table(b) for b in between]
    tables = [arm_table(states, between), comparison_table(states), *across, change_table(states)]
    return [t for t in (*tables, validation_table(states)) if t.rows]


def plan_table(
    name: str, question: str, order: Sequence[Cell], estimates: Mapping[Cell, TimeEstimate], left_out: Sequence[Cell],
    jobs: int,
) -> Table:  # fmt: skip
    """What will run, in the order in which it will."""
    rows = []
    for place, cell in enumerate(order, start=1):
        e = estimates[cell]
        begun = is_run(cell.directory)
        state = "left out by the budget" if cell in left_out else "resumes" if begun else "to run"
        rows.append(
            [str(place), cell.arm.name, str(cell.seed), ", ".join(cell.config.methods), duration(e.left), state]
        )
    total = sum(estimates[c].left for c in order if c not in left_out)
    notes = [
        f"question: {question}",
        f"expected: {duration(total / jobs)} with {jobs} bench{'es' * (jobs > 1)} at a time; order: every arm's first"
        " seed before any second, then higher priority, then cheaper first",
    ]
    if any(estimates[c].assumed for c in order):
        notes.append("times are assumed where a model or rows are not here: coopt bench --dry-run says what is assumed")
    elif order:
        notes += dict.fromkeys(reason for c in order for reason in estimates[c].why)
    return Table(f"Sweep: {name}", ["", "arm", "seed", "methods", "time", "state"], rows, notes)


def suite_table(rows: Sequence[tuple[str, str, int, int, float, bool]]) -> Table:
    """The shipped suites: (name, question, arms, seeds, seconds, assumed)."""
    cells = [
        [name, question, str(arms), str(seeds), f"{duration(seconds)}{' *' * assumed}"]
        for name, question, arms, seeds, seconds, assumed in rows
    ]
    here = sum(seconds for *_, seconds, assumed in rows if not assumed)
    notes = [
        f"time: one bench at a time on two idle CPU cores, together {duration(here)}; what yours needs: --dry-run",
        "* on GPUs, by assumed speeds: coopt bench --preset paper --dry-run says which",
    ]
    return Table("Suites", ["suite", "question", "arms", "seeds", "time"], cells, notes)
