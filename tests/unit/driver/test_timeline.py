"""The timeline of a step: costs add up to the plan's, groups do one thing at a time, idle is what is left."""

from __future__ import annotations

import json
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.choose import make_plan
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.timeline import WORKS, step_parts, timeline
from coopt.driver.tasks.task import Train
from coopt.reports.timeline import timeline_tables
from coopt.runs.run import Run
from tests.unit.conftest import Command

PAIR = ("domains=phys,chem",)
RING = ("topology=ring", "domains=phys,chem,mat,bio")
EIGHT = ("topology=complete", "nodes=8", "domains=phys,chem,mat,bio")


def plan_of(*settings: str, **assumed: float) -> Plan:
    config = load_config(preset="paper", settings=settings)
    return make_plan(Run(Path("nowhere"), config), 1, Assumed.model_validate(assumed))


def first(plan: Plan, method: str) -> Train:
    return next(t for _, t in plan.tasks() if isinstance(t, Train) and t.method == method)


@pytest.mark.parametrize("method", ["sdpo", "opcod", "grpo"])
def test_what_a_step_computes_is_what_the_plan_counts(method: str) -> None:
    plan = plan_of(*PAIR)
    task = first(plan, method)
    computed = sum(seconds for what, seconds in step_parts(plan, task) if what in WORKS)
    assert computed * plan.run.config.rounds.steps == pytest.approx(plan.seconds(task))


def test_parts_of_a_step_follow_from_what_is_assumed() -> None:
    plan = plan_of(*PAIR, generate=1000, row=50, longest_response=6000, sync=7, train=1000)
    parts = step_parts(plan, first(plan, "opcod"))
    assert [what for what, _ in parts] == ["sync", "rollouts", "tail", "sync", "feedback", "update"]
    assert parts[0][1] == parts[3][1] == 7
    assert parts[1][1] == 32 * 8 * 600 / 2000
    assert parts[1][1] + parts[2][1] == 6000 / 50
    assert [w for w, _ in step_parts(plan, first(plan, "sdpo"))].count("sync") == 1
    plain = plan_of(*PAIR, "engine.kind=hf")
    assert "sync" not in [w for w, _ in step_parts(plain, first(plain, "opcod"))]


@pytest.mark.parametrize(("settings", "students"), [(PAIR, 2), (RING, 4), (EIGHT, 8)])
@pytest.mark.parametrize("gpus", [2, 8, 64])
def test_students_are_dealt_over_groups_of_gpus(settings: tuple[str, ...], students: int, gpus: int) -> None:
    line = timeline(plan_of(*settings), gpus)
    assert len({s.student for s in line.spans}) == students
    by_group = {g: list(own) for g, own in groupby(sorted(line.spans), key=lambda s: s.group)}
    assert len(by_group) == min(students, gpus // 2)
    for own in by_group.values():
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(own))
    assert 0 < line.idle < 1
    assert line.idle == pytest.approx(
        1 - 2 * sum(s.end - s.start for s in line.spans if s.what in WORKS) / (gpus * line.seconds)
    )


def test_without_syncs_and_tails_two_gpus_of_two_are_never_idle() -> None:
    assert timeline(plan_of(*PAIR, sync=0, row=1e9), 2).idle == pytest.approx(0)
    assert timeline(plan_of(*PAIR, sync=0, row=1e9), 8).idle == pytest.approx(0.5)


def test_in_sequential_rounds_one_student_trains_at_a_time() -> None:
    together, after = (timeline(plan_of(*PAIR, f"rounds.schedule={s}"), 8) for s in ("simultaneous", "sequential"))
    assert after.seconds == pytest.approx(2 * together.seconds)
    assert after.idle > together.idle


def test_fewer_gpus_than_a_student_takes_are_said() -> None:
    plan = plan_of(*PAIR, "parallel.ranks=4")
    assert timeline(plan, 2).spans == ()
    rows, chart = timeline_tables(plan)
    assert rows.rows[0][:2] == ["2", "none: one takes 4"]
    assert chart.rows[0][0] == "0-3"


def test_the_dry_run_draws_it(cli: Command) -> None:
    done = cli("bench", "--preset", "paper", "--topology", "ring", "--domains", "phys,chem,mat,bio", "--dry-run",
               "--assume", "gpus=6", "--assume", "sync=0")  # fmt: skip
    text = done.out[done.out.index("One step of every student") :]
    drawn = {words[0]: words[1:3] for line in text.splitlines() if (words := line.split())}
    assert (drawn["0-1"], drawn["2-3"][0]) == (["s1,", "s4"], "s2")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 90
    data = json.loads(cli("bench", "--preset", "paper", "--dry-run", "--json").out)["timeline"]
    assert set(data) == {"2", "8", "64"}
    assert {s["what"] for s in data["2"]["spans"]} >= {"sync", "rollouts", "feedback", "update"}
    assert json.loads(cli("bench", "--smoke", "--dry-run", "--json").out)["timeline"] == {}
