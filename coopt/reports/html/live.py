"""A run that is not finished as one page: how far it is, and its curves so far. It gives no verdicts."""

from __future__ import annotations

import time
from pathlib import Path

from coopt.core import store
from coopt.driver.status import RunStatus, clock, run_status
from coopt.reports.charts import Chart, spec
from coopt.reports.headline import SMOKE
from coopt.reports.html.head import origin
from coopt.reports.html.live_charts import score_charts, training_charts
from coopt.reports.html.page import chart_library, own_script, style
from coopt.reports.so_far import NO_VERDICTS, how_far, so_far_table
from coopt.reports.status import status_tables
from coopt.reports.templates import hash_of, render
from coopt.reports.theme import THEMES
from coopt.runs.measures.training import EVERYONE, TrainingPoint, training_points
from coopt.runs.measures.trajectories import MEAN, Point, trajectories
from coopt.runs.run import Run


def write_live(run: Run, path: Path, *, reload: int = 0, curves: bool = True) -> RunStatus:
    """Write the page of this moment, whole or not at all. ``reload``: seconds after which it loads itself again;
    ``curves``: with charts, which cost most. Returns what it shows."""
    now = time.time()
    status = run_status(run)
    text = render_live(run, status, now, reload=reload, curves=curves)
    store.write_text(path, text)
    return status


def render_live(run: Run, status: RunStatus, now: float, *, reload: int = 0, curves: bool = True) -> str:
    """The page as text."""
    points, training = trajectories(run, unfinished=True), training_points(run)
    charts = _charts(run, points, training) if curves else {}
    students = run.topology.students
    script = own_script("live")
    scripts = [chart_library(), script] if charts else [script]
    unfinished = status.word != "finished"
    return render(
        "html/live",
        name=run.directory.name,
        topology=run.topology.name,
        students=students,
        domains=run.config.domains,
        methods=run.config.methods,
        origin=origin(run),
        sentence=how_far(status, now) if unfinished else f"Finished. Its results: coopt report {run.directory} --html",
        smoke=SMOKE if run.config.smoke else "",
        unfinished=unfinished,
        no_verdicts=NO_VERDICTS,
        share=f"{status.share:.3f}",
        moment=clock(now),
        reload=reload,
        error=status.error,
        so_far=so_far_table(points, len(students)),
        charts={section: list(own) for section, own in charts.items()},
        training=bool(training),
        tables=status_tables(status, now),
        domain_choices=[(d, d) for d in (MEAN, *run.config.domains)],
        student_choices=[(s, s) for s in (EVERYONE, *students)],
        data={
            "themes": THEMES,
            "charts": {section: [spec(c) for c in own.values()] for section, own in charts.items()},
        },
        style=style(),
        scripts=scripts,
        hashes=[hash_of(s) for s in scripts],
    )


def _charts(run: Run, points: list[Point], training: list[TrainingPoint]) -> dict[str, dict[str, Chart]]:
    """section -> title -> chart."""
    methods, students = run.config.methods, run.topology.students
    found = {
        "scores": score_charts(points, methods, students) if points else {},
        "training": training_charts(training, methods),
    }
    return {section: own for section, own in found.items() if own}
