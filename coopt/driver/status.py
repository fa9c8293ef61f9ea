"""How far a run is, read from its folder: nothing is asked of its processes and nothing is written. The queue of a
cluster is asked for the states of jobs, for two seconds at most."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from coopt.core.meter import Reading, error_path, read_meter
from coopt.core.outside.files import read_end
from coopt.driver.folder import is_locked
from coopt.driver.plan.plan import Plan, saved_plan
from coopt.driver.slurm.jobs import Job, error_of, has_begun, jobs_and_silence
from coopt.driver.slurm.queue import UNKNOWN, glancing
from coopt.driver.tasks.task import Task, Train, is_done, meter_path
from coopt.runs.journal import RoundKey
from coopt.runs.run import CONFIG, Run, is_run

TaskWord = Literal["done", "running", "waiting", "left out"]
RunWord = Literal["running", "finished", "failed", "stopped", "not started"]
_ENOUGH = 10.0  # planned seconds that must be done before the speed of this start is trusted


class TaskStatus(NamedTuple):
    """One task and how far it is."""

    what: str
    task: Task
    word: TaskWord
    reading: Reading
    error: str
    """How it failed last; empty if it did not, or was tried again."""


@dataclass(frozen=True)
class RunStatus:
    """A run at one moment."""

    run: Run
    word: RunWord
    since: float
    """When it was started or resumed last; seconds since the epoch."""
    error: str
    """How the run ended last, if it failed."""
    tasks: tuple[TaskStatus, ...]
    jobs: tuple[Job, ...]
    silence: str = ""
    """Why the queue did not say what its jobs do; empty if it did. Then the folder says who works: whoever has begun a
    task and told no error."""

    def count(self, word: TaskWord) -> int:
        return sum(t.word == word for t in self.tasks)

    @property
    def share(self) -> float:
        """Tasks done, of those that will be done."""
        return self.count("done") / max(1, len(self.tasks) - self.count("left out"))

    @property
    def tokens_per_second(self) -> float:
        """Of all tasks that run now."""
        running = [t.reading for t in self.tasks if t.word == "running" and t.reading.seconds > 0]
        return sum(r.tokens / r.seconds for r in running)

    def seconds_left(self, now: float) -> float | None:
        """Expected seconds until the end, by the plan and the pace since the last start; None if nothing runs."""
        if self.word != "running":
            return None
        plan = saved_plan(self.run)
        left = sum(plan.seconds(t.task) * (1 - t.reading.share) for t in self.tasks if t.word in ("running", "waiting"))
        return left / self._pace(plan, now)

    def _pace(self, plan: Plan, now: float) -> float:
        """Planned seconds done in one second since the run was started last; before that is known, the workers."""
        done = sum(plan.seconds(t.task) for t in self.tasks if t.word == "done" and self._is_new(t.task))
        done += sum(plan.seconds(t.task) * t.reading.share for t in self.tasks if t.word == "running")
        return done / max(1e-3, now - self.since) if done >= _ENOUGH else float(plan.workers)

    def _is_new(self, task: Task) -> bool:
        return task.output(self.run).stat().st_mtime >= self.since


def run_status(run: Run) -> RunStatus:
    """The status of a run now."""
    with glancing():
        jobs, silence = jobs_and_silence(run.directory)
    journal = run.journal()
    alive = is_locked(run.directory)
    starts = [e["time"] for e in journal.events if e["event"] in ("started", "resumed")]
    ends = [e for e in journal.events if e["event"] in ("started", "resumed", "failed", "finished")]
    word: RunWord = "running" if alive else _ended(ends[-1]["event"] if ends else "")
    error = ends[-1]["value"]["error"] if ends and ends[-1]["event"] == "failed" and not alive else ""
    busy = {j.task for j in jobs if _is_under_way(run.directory, j, silence)}
    tasks = tuple(_tasks(run, journal.all("collapsed"), alive, busy, word))
    return RunStatus(run, word, starts[-1] if starts else 0.0, error, tasks, tuple(jobs), silence)


def _is_under_way(directory: Path, job: Job, silence: str) -> bool:
    """Whether a job performs the task now: if it runs, and one of several tasks only once it has begun it. If the queue
    says nothing of the job: if it has begun the task, and has not told how it failed."""
    if job.works:
        return len(job.tasks) == 1 or has_begun(directory, job.task, job)
    mine = bool(silence) and job.state == UNKNOWN and has_begun(directory, job.task, job)
    return mine and error_of(directory, job.task, job.id) is None


def _ended(event: str) -> RunWord:
    """What a run without a process is, by the last thing that its journal says."""
    if not event:
        return "not started"
    return "finished" if event == "finished" else "failed" if event == "failed" else "stopped"


def _tasks(run: Run, collapsed: Mapping[str, Any], alive: bool, busy: set[str], word: RunWord) -> Iterator[TaskStatus]:
    clustered = run.config.cluster.kind != "none"  # then a meter may be that of an earlier try
    for what, task in saved_plan(run).tasks():
        meter = meter_path(task, run)
        error = error_path(meter)
        said = read_end(error).strip()
        reading = read_meter(meter)
        if is_done(task, run):
            yield TaskStatus(what, task, "done", Reading(1.0), "")
        elif task.label() in busy or (alive and not clustered and meter.is_file() and not said):
            yield TaskStatus(what, task, "running", reading, said)
        elif word == "finished":
            yield TaskStatus(what, task, "left out", Reading(), said)
        else:
            yield TaskStatus(what, task, "waiting", Reading(), said)
    for task in _left_out(run, collapsed):
        yield TaskStatus(task.what, task, "left out", Reading(), "")


def _left_out(run: Run, collapsed: Mapping[str, Any]) -> Iterator[Train]:
    """The rounds in which students are not trained on because they have collapsed: a plan does not list them."""
    for key, students in collapsed.items():
        where = RoundKey.parse(key)
        if where.round <= run.rounds_of(where.method):
            yield from (Train(where.seed, where.method, where.round, s, ()) for s in students)


def find_runs(root: Path) -> list[Path]:
    """Run folders under ``root``: a folder of runs, a sweep's folder, or all of ``runs``."""
    folders = {p.parent for depth in ("*", "*/*", "sweeps/*/*/*") for p in root.glob(f"{depth}/{CONFIG}*")}
    return sorted(folder for folder in folders if is_run(folder))


def clock(seconds: float) -> str:
    """A moment, in the machine's time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
