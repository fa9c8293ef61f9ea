"""Tables of ``coopt status`` and ``coopt logs``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coopt.core.errors import DamagedError
from coopt.core.tables.cells import NONE, duration, percent
from coopt.core.tables.table import Table
from coopt.driver.status import RunStatus, TaskStatus, clock
from coopt.driver.tasks.task import Merge, Score, Train


def runs_table(statuses: Iterable[tuple[str, RunStatus | ValueError]]) -> Table:
    """One row a run; of one that cannot be read, why."""
    rows, silences = [], []
    for name, s in statuses:
        if not isinstance(s, RunStatus):
            word = "damaged" if isinstance(s, DamagedError) else "not readable here"
            rows.append([name, word, NONE, NONE, NONE, (str(s).splitlines() or [type(s).__name__])[0]])
            continue
        silences += [s.silence] if s.silence else []
        config = s.run.config
        seeds = " ".join(map(str, config.all_seeds))
        running = ", ".join(t.task.label() for t in s.tasks if t.word == "running")
        done = f"{s.count('done')} of {len(s.tasks) - s.count('left out')} ({percent(s.share, 0)} %)"
        rows.append([name, s.word, ", ".join(config.methods), seeds, done, s.error or running or NONE])
    columns = ["run", "state", "methods", "seeds", "tasks", "now, or why it failed"]
    notes = ["one run: coopt status RUN; the same command as before resumes a stopped one"]
    return Table("Runs", columns, rows, notes + [silent(why) for why in dict.fromkeys(silences)])


def status_tables(status: RunStatus, now: float) -> list[Table]:
    """One run: its work by seed and round, what is going on, what went wrong, and its jobs."""
    tables = [_work(status, now), _running(status), _errors(status), _jobs(status)]
    return [t for t in tables if t.rows]


def _work(status: RunStatus, now: float) -> Table:
    """Rows by seed, kind of work and round."""
    groups: dict[tuple[int, str, str], list[TaskStatus]] = {}
    for t in status.tasks:
        round_ = str(t.task.round) if isinstance(t.task, (Train, Merge, Score)) else NONE
        method = f" {t.task.method}" if isinstance(t.task, Score) else ""
        groups.setdefault((t.task.seed, t.what + method, round_), []).append(t)
    rows = []
    for (seed, what, round_), own in groups.items():
        words = [t.word for t in own]
        left_out = words.count("left out")
        rows.append(
            [
                str(seed),
                what,
                round_,
                f"{words.count('done')} of {len(own) - left_out}",
                str(words.count("running") or NONE),
                str(words.count("waiting") or NONE),
                str(left_out or NONE),
            ]
        )
    notes = [f"{status.word}; last started {clock(status.since)}" if status.since else status.word]
    left = status.seconds_left(now)
    if left is not None:
        notes.append(f"left: {duration(left)}; speed now: {status.tokens_per_second:,.0f} tokens/s")
    if status.silence:
        notes.append(silent(status.silence))
    if status.error:
        notes.append(f"the run failed: {status.error}")
    if any(t.word == "left out" for t in status.tasks):
        notes.append("left out: training of students that have collapsed")
    columns = ["seed", "work", "round", "done", "running", "waiting", "left out"]
    return Table(f"{status.run.directory}: {percent(status.share, 0)} % of the tasks", columns, rows, notes)


def silent(why: str) -> str:
    """What the user reads where the states of jobs are not known."""
    return f"{why}: jobs are shown as the run's folder has them"


def _running(status: RunStatus) -> Table:
    rows = []
    for t in status.tasks:
        if t.word == "running":
            r = t.reading
            speed = f"{r.tokens / r.seconds:,.0f}" if r.seconds else NONE
            rows.append([t.task.label(), f"{percent(r.share, 0)} %", duration(r.seconds), speed])
    return Table("Running", ["task", "done", "time", "tokens/s"], rows)


def _errors(status: RunStatus) -> Table:
    rows = [[t.task.label(), t.error] for t in status.tasks if t.error]
    return Table("Last errors", ["task", "error"], rows)


def _jobs(status: RunStatus) -> Table:
    rows = [[j.task, j.id, j.state, str(j.log)] for j in status.jobs if j.live or j.state not in ("COMPLETED",)]
    return Table("Jobs that are not completed", ["task", "job", "state", "log"], rows)


def phases_table(phases: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]]) -> Table:
    """One row a phase: (where it is, its step records)."""
    rows = []
    for where, steps in phases:
        first, last = steps[0], steps[-1]
        rows.append(
            [
                *(str(where[k]) for k in ("seed", "method", "round", "student")),
                str(len(steps)),
                f"{first['loss']:.4f} {last['loss']:.4f}",
                f"{_reward(first)} {_reward(last)}",
                _kept(steps),
                _speed(steps),
                f"{sum(s['seconds']['total'] for s in steps) / len(steps):.2f}",
            ]
        )
    columns = ["seed", "method", "round", "student", "steps", "loss first, last", "reward, % first, last", "kept, %",
               "tokens/s", "s/step"]  # fmt: skip
    note = (
        "reward: correct rollouts; kept: feedback that passed sanitiser and anchor. One student: coopt logs RUN STUDENT"
    )
    return Table("Training", columns, rows, [note])


def steps_table(where: Mapping[str, Any], steps: Sequence[Mapping[str, Any]], gates: Sequence[str]) -> Table:
    """One row a step of one phase."""
    rows = [
        [
            str(s["step"] + 1),
            f"{s['loss']:.5f}",
            f"{s['grad_norm']:.3f}",
            f"{s['lr']:.1e}",
            _reward(s),
            _with_target(s),
            _kept([s]),
            _speed([s]),
            f"{s['seconds']['total']:.2f}",
            f"{s['memory_gib']:.1f}",
        ]
        for s in steps
    ]
    title = f"seed {where['seed']} {where['method']} round {where['round']} {where['student']}"
    columns = ["step", "loss", "grad norm", "lr", "reward, %", "with target", "kept, %", "tokens/s", "s", "GiB"]
    away = dict(kv for s in steps for kv in s.get("away", {}).items())
    notes = [*gates, *(f"{tutor} did not answer: {why}" for tutor, why in away.items())]
    return Table(title, columns, rows, notes)


def _reward(step: Mapping[str, Any]) -> str:
    """Share of correct rollouts; a dash where nothing is rolled out."""
    return percent(step["correct"] / step["rollouts"]) if step["rollouts"] else NONE


def _with_target(step: Mapping[str, Any]) -> str:
    """Of the rollouts (without any: of the texts to imitate) those that were learnt from; one may be several rows."""
    examples = step.get("examples", step["rollouts"])  # older runs do not say
    return f"{min(step['active_rows'], examples)} of {step['rollouts'] or examples}"


def _kept(steps: Sequence[Mapping[str, Any]]) -> str:
    """Share of the messages that were kept; a dash where nobody was asked."""
    counts = [outcomes for s in steps for outcomes in s["outcomes"].values()]
    asked = sum(sum(c.values()) for c in counts)
    return percent(sum(c.get("kept", 0) for c in counts) / asked) if asked else NONE


def _speed(steps: Sequence[Mapping[str, Any]]) -> str:
    seconds = sum(s["seconds"]["total"] for s in steps)
    return f"{sum(sum(s['tokens'].values()) for s in steps) / seconds:,.0f}" if seconds else NONE
