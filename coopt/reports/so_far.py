"""What a run that is not finished can show: validation scores by round, and how far it is. No verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

from coopt.core.tables.cells import NONE, duration, percent
from coopt.core.tables.table import Table
from coopt.driver.status import RunStatus
from coopt.runs.measures.trajectories import MEAN, Point

NO_VERDICTS = "These numbers will change; verdicts come at the end."


def how_far(status: RunStatus, now: float) -> str:
    """One sentence: the state, the tasks done, and the time left."""
    words = {"stopped": "stopped", "failed": "failed", "not started": "not started", "running": "still running"}
    done = status.count("done")
    total = len(status.tasks) - status.count("left out")
    left = status.seconds_left(now)
    time_left = f"; left: about {duration(left)}" if left is not None else ""
    return (
        f"Not finished ({words.get(status.word, 'results are missing')}): {done} of {total} tasks"
        f" ({percent(status.share, 0)} %) are done{time_left}."
    )


def so_far_table(points: Sequence[Point], students: int) -> Table:
    """Validation scores after each round, mean of the students that are scored."""
    ends = [p for p in points if p.domain == MEAN]
    last = {(p.method, p.student, p.round): p for p in ends}  # the last step of a round is its end
    rounds = sorted({p.round for p in ends})
    rows = [
        [method, *(_cell([p for (m, _, r), p in last.items() if (m, r) == (method, k)], students) for k in rounds)]
        for method in dict.fromkeys(p.method for p in ends)
    ]
    note = (
        f"Validation, mean of all domains, of {students} students (in brackets how many are scored, where not all) and"
        " of the seeds so far. "
    )
    columns = ["method", *("start" if r == 0 else f"round {r}" for r in rounds)]
    return Table("Validation scores so far, percent", columns, rows, [note + NO_VERDICTS])


def _cell(points: Iterable[Point], students: int) -> str:
    scores = [p.score for p in points]
    if not scores:
        return NONE
    return percent(fmean(scores)) + (f" ({len(scores)})" if len(scores) < students else "")
