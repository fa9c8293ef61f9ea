"""The tasks of a run in their order: what a driver does is what the plan has foreseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.config.schema import GateConfig
from coopt.core.names import INIT
from coopt.driver.bench import run_bench
from coopt.driver.choices import Foreseen
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.rounds import seed_tasks
from coopt.driver.tasks.task import BreakRate, Score, Task, Train, is_done
from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.opcod import OPCoD
from coopt.runs.journal import RoundKey
from coopt.runs.run import Run
from tests.unit.small_runs import SKILL, SMALL, write_scores, write_step

BEST = {("sdpo", "s1"): 1, ("sdpo", "s2"): 0, ("opcod", "s1"): 2, ("opcod", "s2"): 3, ("merge", "s1"): 1,
        ("merge", "s2"): 0}  # fmt: skip
"""The round after which each student is to be best."""
ROUNDS = 3


class Played:
    """Leaves the output of every task, and keeps the tasks. ``worst``: who falls far after which round of opcod."""

    def __init__(self, run: Run, worst: tuple[str, int] | None = None) -> None:
        self.run = run
        self.worst = worst
        self.tasks: list[Task] = []

    def launch(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            assert not is_done(task, self.run), f"{task.label()} is done twice"
            self.tasks.append(task)
            self._do(task)

    def _do(self, task: Task) -> None:
        run = self.run
        match task:
            case Score():
                skill = SKILL.get(task.method, 0.5)
                if (task.method, task.student) in BEST:
                    skill = 0.9 if BEST[task.method, task.student] == task.round else 0.45
                if self.worst == (task.student, task.round) and task.method == "opcod":
                    skill = 0.0
                write_scores(run, task.seed, task.method, task.round, task.student, task.split, {task.method: skill})
            case BreakRate():
                store.write_json(task.output(run), {"version": 1, "domains": {}, "away": {}})
            case _:
                with store.new_directory(task.output(run)):
                    pass
        if isinstance(task, Train):
            write_step(run, task.seed, task.method, task.round, task.tutee)


def played(folder: Path, worst: tuple[str, int] | None = None) -> Played:
    """A finished run of all of its methods on two seeds."""
    settings = {**SMALL, "rounds.rounds": ROUNDS, "break_rate.questions": 2, "gate.kind": "always"}
    methods = ("sdpo", "opcod", "merge")
    config = load_config(methods=methods, seeds=2, settings=[f"{k}={v}" for k, v in settings.items()])
    driver = Played(Run(folder / "run", config), worst)
    run_bench(driver.run, driver.launch, force=True)
    return driver


def foreseen(run: Run) -> list[Path]:
    """The outputs of all tasks that a plan lists."""
    journal = run.journal()
    return [
        task.output(run)
        for seed in run.seeds
        for tasks in seed_tasks(run, seed, Foreseen(run, seed, journal))
        for task in tasks
    ]


def on_disk(run: Run) -> set[Path]:
    """The outputs that are there: folders that are complete, and files of scores and probes."""
    seeds = run.directory / "seeds"
    folders = {path.parent for path in seeds.rglob(store.COMPLETE)}
    return folders | set(seeds.rglob("scores/*/r*/*.json")) | set(seeds.rglob("break_rate/*.json"))


@pytest.mark.parametrize("worst", [None, ("s2", 1)], ids=["nobody collapses", "s2 collapses"])
def test_a_plan_lists_what_a_finished_run_has_done_and_each_task_once(
    tmp_path: Path, worst: tuple[str, int] | None
) -> None:
    driver = played(tmp_path, worst)
    listed = foreseen(driver.run)
    assert Counter(listed) == Counter(on_disk(driver.run)) == Counter(t.output(driver.run) for t in driver.tasks)
    trained = Counter((t.method, t.tutee) for t in driver.tasks if isinstance(t, Train))
    assert trained["opcod", "s2"] == 2 * (1 if worst else ROUNDS)
    assert trained["sdpo", "s2"] == 2 * ROUNDS
    assert [task for _, task in Plan(driver.run, REFERENCE, 1).tasks() if not is_done(task, driver.run)] == []


def test_test_scores_are_those_of_the_last_round_and_of_each_students_best(tmp_path: Path) -> None:
    run = played(tmp_path).run
    for (method, student), best in BEST.items():
        last = 1 if method == "merge" else ROUNDS
        tested = {r for r in range(ROUNDS + 1) if run.scores_path(0, method, "test", r, student) in foreseen(run)}
        assert tested == {0, last, best}, (method, student)


def test_before_anything_is_done_a_plan_has_a_score_for_a_best_round_that_is_not_the_last(tmp_path: Path) -> None:
    run = played(tmp_path).run
    fresh = Run(tmp_path / "other", run.config)
    tasks = [task for _, task in Plan(fresh, REFERENCE, 1).tasks()]
    tested = {(t.method, t.round, t.student) for t in tasks if isinstance(t, Score) and t.split == "test"}
    assert {t for t in tested if t[0] == "opcod"} == {
        ("opcod", r, s) for r in (ROUNDS - 1, ROUNDS) for s in ("s1", "s2")
    }
    assert {t for t in tested if t[0] == "merge"} == {("merge", 1, s) for s in ("s1", "s2")}
    assert {t for t in tested if t[0] == INIT} == {(INIT, 0, s) for s in ("s1", "s2")}
    assert max(Counter(t.output(fresh) for t in tasks).values()) == 1


@pytest.mark.parametrize(("topology", "graphs"), [("random_regular", 1), ("random_matching", ROUNDS)])
def test_a_plan_makes_gates_once_for_a_graph_and_not_for_a_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topology: str, graphs: int
) -> None:
    """They cost as much as there are edges. In a graph that varies every round has its own tutors."""
    settings = [*(f"{k}={v}" for k, v in SMALL.items()), f"rounds.rounds={ROUNDS}"]
    config = load_config(topology=topology, nodes=20, methods=("opcod",), settings=settings)
    run = Run(tmp_path, config)
    asked: list[Topology] = []
    made = OPCoD.gates

    def gates(self: OPCoD, graph: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        asked.append(graph)
        return made(self, graph, default)

    monkeypatch.setattr(OPCoD, "gates", gates)
    tasks = [t for own in seed_tasks(run, 0, Foreseen(run, 0, run.journal())) for t in own if isinstance(t, Train)]
    assert len(tasks) == 20 * ROUNDS
    assert len(asked) == graphs
    for task in tasks:
        graph = asked[task.round - 1] if graphs > 1 else asked[0]
        assert {t.name for t in task.tutors} == set(graph.tutors_of(task.tutee))


def test_a_restarted_driver_has_nothing_to_do_and_decides_nothing_again(tmp_path: Path) -> None:
    driver = played(tmp_path)
    decided = {event: driver.run.journal().all(event) for event in ("gates", "collapsed", "probe_gates")}
    left: list[Task] = []
    run_bench(driver.run, lambda tasks: left.extend(t for t in tasks if not is_done(t, driver.run)), force=True)
    assert left == []
    assert {event: driver.run.journal().all(event) for event in decided} == decided


def test_an_average_has_no_gates_and_nobody_collapses_in_it(tmp_path: Path) -> None:
    journal = played(tmp_path, ("s2", 1)).run.journal()
    for event in ("gates", "collapsed"):
        assert {RoundKey.parse(key).method for key in journal.all(event)} == {"sdpo", "opcod"}
    assert journal.all("collapsed")["0/opcod/r2"] == journal.all("collapsed")["0/opcod/r4"] == ["s2"]


@pytest.mark.parametrize("preset", ["real", "smol"])
def test_a_smoke_run_touches_every_part_and_does_none_of_it_twice(tmp_path: Path, preset: str) -> None:
    """At most as many tasks as parts need: issue 19 counted 22 where 15 do."""
    config = load_config(preset=preset, smoke=True, settings=["data.source=scimini", "world.rows=200"])
    run = Run(tmp_path, config)
    tasks = [task for tasks in seed_tasks(run, 0, Foreseen(run, 0, run.journal())) for task in tasks]
    kinds = Counter((type(t).__name__, t.split if isinstance(t, Score) else "") for t in tasks)
    students = len(run.topology.students)
    assert kinds == {
        ("Specialise", ""): students,
        ("Score", "validation"): students * (1 + config.rounds.rounds),
        ("Score", "test"): 2 * students + 1,
        ("BreakRate", ""): students,
        ("Train", ""): students * config.rounds.rounds,
    }
    assert sum(kinds.values()) == 15
