"""Whole tables: the arms of a suite beside each other, and the methods of a run on the leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

from benchmarks.figures.figure import SHOWN
from coopt.core.names import INIT
from coopt.core.statistics.verdicts import Change
from coopt.core.tables.cells import NONE, percent, signed, span
from coopt.driver.sweep.results import ArmResults
from coopt.reports.leaderboard.entry import Entry
from coopt.runs.compare import Comparison
from coopt.runs.results import ConsensusCell
from coopt.runs.run import Run

_SDPO = "sdpo"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as the documents have them."""
    return tabulate(rows, headers=columns, tablefmt="github", disable_numparse=True)


def arms_table(comparison: Comparison, found: Mapping[str, ArmResults], runs: Mapping[str, Run]) -> str:
    """The first method of every arm that is compared with the first one, the largest change first."""
    first = comparison.runs[0]
    against = {d.side.run: d.moved for d in comparison.differences if d.baseline.run == first}
    rows = []
    for line in sorted(comparison.lines, key=lambda line: -line.change.value):
        name, method = line.side.run, line.side.method
        moved = against.get(name)
        rows.append(
            [
                name + (f" (`{method}`)" if method == _SDPO else ""),
                str(_edges(runs[name], method)),
                _open_share(found[name], method),
                f"{signed(line.change.value)} {span(line.change.low, line.change.high)}",
                f"{_written(moved)}{', no difference shown' * (moved.verdict not in SHOWN)}" if moved else "",
                _distances(found[name].results.consensus, method),
            ]
        )
    columns = ["graph", "edges a round", "open edge-rounds, %", "gain", f"against {first}", "consensus distance"]
    return markdown(columns, rows)


def _edges(run: Run, method: str) -> int:
    """Tutor edges in the first round."""
    return len(run.tutoring(method, run.topology.in_round(1, run.seeds[0]))[1])


def _open_share(arm: ArmResults, method: str) -> str:
    gates = [g.open for g in arm.results.gates if g.method == method]
    return percent(sum(gates) / len(gates), 0) if gates else NONE


def _distances(cells: Sequence[ConsensusCell], method: str) -> str:
    own = [c.distance for c in cells if c.method == method]
    return f"{percent(own[0])} to {percent(own[-1])}"


def methods_table(
    entries: Sequence[Entry], against: Mapping[str, Change], behind: Mapping[str, Change], start: float
) -> str:
    """Entries of one run, the best first. ``against``: each less ``sdpo``; ``behind``: ``opcod`` less each; both
    corrected over the table."""
    rows = []
    for e in sorted(entries, key=lambda e: -e.measures.overall.score):
        mean = e.measures.overall
        native = ", ".join(signed(c.change.value) for c in e.measures.scores if c.native and c.change)
        named = f"`{e.method}`" if e.method != "opcod" else f"**`{e.method}`**"
        score = f"{percent(mean.score)} {span(mean.low, mean.high)}"
        rows.append([named, score, *(_written(c.get(e.method)) for c in (against, behind)), native, _seconds(e)])
    rows.append([f"`{INIT}`", percent(start), *[""] * 4])
    students = ", ".join(entries[0].students)
    columns = ["method", "score", "against `sdpo`", "`opcod` against it", f"native domains {students}"]
    return markdown([*columns, "s/step, feedback on"], rows)


def _written(moved: Change | None) -> str:
    if moved is None:
        return ""
    interval = f"{signed(moved.value)} {span(moved.low, moved.high)}"
    return f"**{interval}**" if moved.verdict in SHOWN else interval


def _seconds(entry: Entry) -> str:
    """Of a step with feedback; of a method without any, of a step."""
    by_feedback = {c.feedback: f"{c.seconds_per_step:.2f}" for c in entry.costs}
    return by_feedback.get("on") or (f"{by_feedback['off']} (none)" if by_feedback else NONE)
