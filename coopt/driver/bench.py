"""The main job: refuse what cannot work, plan, train every method on every seed, measure, summarise.

Command line, Python and sweeps begin here, so that a run is the same whoever started it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from coopt.core import store
from coopt.core.config.identity import GROWING, differences
from coopt.core.config.schema import ALL, Config
from coopt.core.errors import CooptError, DamagedError
from coopt.core.tables.cells import duration
from coopt.core.text import visible
from coopt.domains.load import WORLD
from coopt.driver.checks import check_run
from coopt.driver.choices import Journaled
from coopt.driver.damage import digests, is_whole
from coopt.driver.every_method import with_every_method
from coopt.driver.first_look import Say
from coopt.driver.folder import check_directory, check_free, default_name, file_hashes, locked, method_hashes, prepare
from coopt.driver.mending import Mending
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.choose import make_plan
from coopt.driver.plan.plan import Plan, saved_plan
from coopt.driver.rounds import Launch, seed_tasks
from coopt.driver.slurm.choose import make_launcher
from coopt.driver.slurm.executors import check_place
from coopt.driver.slurm.jobs import forget_cancel
from coopt.driver.tasks.cards import cards_here, students_at_once
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task, is_done
from coopt.driver.tasks.together import hindrance
from coopt.driver.tracking.beside import tracked
from coopt.runs.journal import Journal
from coopt.runs.measures.summary import summarise
from coopt.runs.provenance import began_with, code_state
from coopt.runs.results import Results, results_path, stored_results
from coopt.runs.run import Run


@dataclass(frozen=True)
class Bench:
    """A bench that may begin: everything that can be refused at once has been looked at."""

    config: Config
    directory: Path
    workers: int
    left_out: dict[str, str]
    """Methods that ``all`` cannot have here, and why."""

    @property
    def run(self) -> Run:
        """The run that it makes or goes on with."""
        return Run(self.directory, self.config)

    @contextmanager
    def alone(self, began: float | None = None) -> Iterator[None]:
        """While nobody else works on the run. ``began``: when this was asked for (seconds since the epoch; by default
        now): what was cancelled before goes on, and what is cancelled after that is not begun. Raises ``RunError``."""
        with locked(self.directory):
            forget_cancel(self.directory, time.time() if began is None else began)
            yield

    def so_far(self) -> str:
        """What is done already of a run that is resumed, in a line; empty of one that begins."""
        plan = saved_plan(self.run)
        done = [is_done(task, self.run) for _, task in plan.tasks()]
        if not any(done):
            return ""
        left, expected = len(done) - sum(done), duration(plan.left_seconds())
        return f"resuming {self.directory}: {sum(done)} of {len(done)} tasks done, {left} left (about {expected})"

    def plan(self, assumed: Assumed | None = None, say: Say | None = None) -> Plan:
        """What it will do. Measures speeds, which takes seconds. ``say``: is told before that what is done already."""
        if say and (line := self.so_far()):
            say(line)
        return make_plan(self.run, self.workers, assumed)

    def carry_out(
        self, plan: Plan, arguments: list[str], console: Console, *, force: bool = False
    ) -> tuple[Run, Results]:
        """Do everything that is not done yet, with a bar on ``console``; to be called ``alone``. ``arguments``: for the
        run's provenance; ``force``: train also students none of whose answers can be read."""
        run = prepare(self.config, self.directory, arguments)
        plan = replace(plan, run=run)
        plan.save()
        say = plainly(console)
        with (
            tracked(run, say),
            Display(console, plan.worker_seconds(), plan.seconds, workers=self.workers, run=run) as display,
            make_launcher(run, self.workers, display) as launch,
        ):

            def perform(tasks: Sequence[Task]) -> None:
                display.expect(task for _, task in plan.tasks())
                launch(tasks)

            return run, run_bench(run, perform, force=force, say=say)


def ready(
    config: Config, out: Path | None = None, workers: int | None = None, check: Callable[[Config], None] = check_run
) -> Bench:
    """The bench of a configuration. ``out``: its folder, by default ``runs/NAME``; ``workers``: by default by cores and
    students; ``check``: what it must pass (``check_settings`` for a plan without models and rows). Writes nothing;
    raises a ``CooptError``."""
    config, left_out = with_every_method(config, check)
    check(config)
    directory = out or Path("runs") / default_name(config)
    check_place(config.cluster, directory)
    check_directory(config, directory)
    return Bench(config, directory, workers or default_workers(config), left_out)


def refuse_if_taken(config: Config, out: Path | None = None) -> None:
    """Before anything that takes time. Raises ``RunError`` if somebody works on the run of this configuration; what
    ``all`` is, and so the default name, is known only later."""
    if out is not None or ALL not in config.methods:
        check_free(out or Path("runs") / default_name(config))


def finished(config: Config, out: Path | None = None) -> tuple[Run, Results] | None:
    """The run and its results, if there is nothing left to do. Models are not looked at, nor are the questions of the
    embedded world, which its settings decide."""
    if ALL in config.methods:
        return None
    directory = out or Path("runs") / default_name(config)
    try:
        run, results = Run.open(directory), stored_results(directory)
        if config.data.source != WORLD:
            check_directory(config, directory)
        files = record.get("files") if (record := began_with(directory)) else None
    except CooptError:
        return None  # the usual way says what is the matter
    same = not differences((run.config, config), *GROWING) and files in (None, file_hashes(config))
    own = method_hashes(run.config)
    same &= all((record or {}).get("methods", {}).get(name, digest) == digest for name, digest in own.items())
    whole = set(config.methods) <= set(results.methods) and set(config.all_seeds) <= set(results.seeds)
    return (run, results) if same and whole and is_whole(run) else None


def default_workers(config: Config) -> int:
    """On CPUs one worker a student up to the cores that its ranks leave; on GPUs as many as its ranks leave, because
    workers would share a GPU's memory. On SLURM one job a student, or as many as run at once; one for all students that
    go in lockstep."""
    from coopt.graph.files import load_topology

    students = len(load_topology(config.topology, config.domains, config.nodes).students)
    if config.cluster.kind == "slurm":
        return min(config.cluster.parallel or students, students) if hindrance(config) else 1
    if cards := cards_here(config):
        return students_at_once(len(cards), config, students)
    return max(1, min((os.cpu_count() or 1) // config.parallel.ranks, students))


def plainly(console: Console) -> Say:
    """Prints a line as it is."""
    return lambda line: console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def run_bench(run: Run, launch: Launch, *, force: bool = False, say: Say | None = None) -> Results:
    """Do all that is not done yet, then summarise. Killed at any moment, the same call goes on. ``say``: is told
    what the students' first answers look like."""
    journal = Journal(run.journal_path, mending=True)
    now = {"commit": code_state()["commit"], "seeds": list(run.config.all_seeds), "methods": list(run.config.methods)}
    journal.note("resumed" if journal.events else "started", now)
    if journal.faults:
        journal.note("mended", {"journal": journal.faults})
    try:
        done = _perform_all(run, launch, journal, force=force, say=say)
    except Exception as error:
        with suppress(OSError):  # a full disk must not hide what went wrong
            journal.note("failed", {"error": str(error)})
        raise
    results = summarise(run)
    store.write_sealed(results_path(run.directory), results.model_dump_json(indent=1) + "\n", digests(run, done))
    journal.note("measures", _headline(results))
    journal.note("finished")
    return results


def _perform_all(run: Run, launch: Launch, journal: Journal, *, force: bool, say: Say | None) -> list[Task]:
    """All tasks of the run, each with its output there. A task that finds damage in what it reads sends the driver
    through the lists again."""
    mending = Mending(run, say)
    while True:
        done: list[Task] = []
        try:
            for seed in run.config.all_seeds:
                for tasks in seed_tasks(run, seed, Journaled(run, seed, journal, force, say)):
                    mending.before(tasks)
                    launch(tasks)
                    done += tasks
        except DamagedError as error:
            mending.after(error)
        else:
            return done


def _headline(results: Results) -> dict[str, Any]:
    """What the journal keeps of the measures: mutual Pareto improvement, and consensus distance by round."""
    return {
        "mutual": {
            c.method: {"point": c.point, "probability": c.probability, "verdict": c.verdict, "share": c.share}
            for c in results.pareto
            if c.student == "mutual"
        },
        "consensus": {
            m: [c.distance for c in results.consensus if c.method == m] for m in results.methods if results.consensus
        },
    }
