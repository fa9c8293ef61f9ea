"""Which tasks go together, and what the plan says of it."""

from __future__ import annotations

import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.driver.tasks.task import Score, Specialise, Task, Train
from coopt.driver.tasks.together import groups, hindrance, students_together


def config(*settings: str) -> Config:
    return load_config(topology="ring", nodes=5, settings=["model.weights=lora", *settings])


def trained(count: int) -> list[Task]:
    return [Train(0, "opcod", 1, f"s{k}", ()) for k in range(count)]


def test_students_are_dealt_over_the_workers() -> None:
    tasks = trained(5)
    assert [len(g) for g in groups(tasks, config(), 1)] == [5]
    assert [len(g) for g in groups(tasks, config(), 2)] == [2, 3]
    assert [len(g) for g in groups(tasks, config(), 8)] == [1] * 5
    assert [t for g in groups(tasks, config(), 3) for t in g] == tasks


@pytest.mark.parametrize("kind", ["slurm", "local", "debug"])
def test_on_a_cluster_they_are_one_job_unless_jobs_are_to_be_smaller(kind: str) -> None:
    tasks = trained(5)
    cluster = [f"cluster.kind={kind}"]
    assert [len(g) for g in groups(tasks, config(*cluster), 1)] == [5]
    assert [len(g) for g in groups(tasks, config(*cluster, "cluster.tasks_per_job=2"), 1)] == [1, 2, 2]
    each = config(*cluster, "cluster.tasks_per_job=1")
    assert hindrance(each) == "each student is a job (cluster.tasks_per_job=1)"
    assert groups(tasks, each, 1) == [(t,) for t in tasks]
    assert not hindrance(config("cluster.tasks_per_job=1")), "workers are no jobs"


def test_only_tasks_of_a_kind_that_uses_the_base_go_together() -> None:
    made: list[Task] = [Specialise(0, "s0"), Specialise(0, "s1")]
    scored: list[Task] = [Score(0, "opcod", 1, f"s{k}", "test") for k in range(3)]
    assert groups([*made, *scored], config(), 1) == [(made[0],), (made[1],), tuple(scored)]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("parallel.lockstep=false", "lockstep"),
        ("model.weights=full", "all weights"),
        ("model.shared_base=false", "shared_base"),
        ("parallel.ranks=2", "2 ranks"),
        ("parallel.activation_checkpointing=true", "checkpointing"),
    ],
)
def test_what_cannot_go_together_says_why(setting: str, says: str) -> None:
    assert not hindrance(config())
    assert says in hindrance(config(setting))
    assert groups(trained(3), config(setting), 1) == [(t,) for t in trained(3)]


def test_so_many_at_once_as_somebody_asked_for() -> None:
    tasks = trained(5)
    at_once = config("parallel.lockstep_students=2")
    assert [len(group) for group in groups(tasks, at_once, 1)] == [1, 2, 2]
    assert [len(group) for group in groups(tasks, at_once, 4)] == [1, 1, 1, 2]
    assert students_together(at_once, 5, 1) == 2
    assert students_together(config(), 5, 2) == 3
    assert students_together(config("model.weights=full"), 5, 1) == 1
    assert students_together(config("rounds.schedule=sequential"), 5, 1) == 1
