"""Suites: arms, order, budget, and every shipped file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from coopt.cli.main import main
from coopt.cli.sweep import parse_budget
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE, Speed, of_students
from coopt.driver.sweep.arms import Arm, make_arms
from coopt.driver.sweep.cells import Cell, make_cells, most_informative_first, within
from coopt.driver.sweep.estimate import Estimator, TimeEstimate
from coopt.driver.sweep.suite import read_suite, suite_names, suite_path
from coopt.runs.run import Run
from tests.unit.conftest import Command

SUITE = """
question = "Does it work?"
seeds = 2
[base]
methods = ["sdpo"]
rounds.steps = 3
[grid]
topology = ["ring", "star"]
domains = ["phys,chem"]
rounds.rounds = [1, 2]
size = [{ name = "small", nodes = 4 }, { name = "large", nodes = 8, priority = -1, adversary.s2 = "empty" }]
[[arms]]
name = "alone"
topology = "solo"
priority = 5
rounds.steps = 4
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text)
    return path


def arms_of(folder: Path, text: str = SUITE, **extra: Any) -> dict[str, Arm]:
    path = write(folder, text)
    return {a.name: a for a in make_arms(read_suite(path), str(path), **extra)}


# -- arms ----------------------------------------------------------------------------------------------


def test_the_grid_and_the_named_arms(tmp_path: Path) -> None:
    arms = arms_of(tmp_path)
    sizes = [f"{t}-rounds{r}-{s}" for t in ("ring", "star") for r in (1, 2) for s in ("small", "large")]
    assert list(arms) == [*sizes, "alone"]
    config = arms["star-rounds2-large"].config(1)
    assert (config.topology, config.nodes, config.rounds.rounds, config.rounds.steps) == ("star", 8, 2, 3)
    assert (config.adversary, config.methods, config.seed, config.seeds) == ({"s2": "empty"}, ("sdpo",), 1, 1)
    assert (arms["alone"].priority, arms["ring-rounds1-large"].priority, arms["ring-rounds1-small"].priority) == (
        5,
        -1,
        0,
    )
    assert arms["alone"].config(0).rounds.steps == 4


def test_settings_of_the_command_line_win_over_every_arm(tmp_path: Path) -> None:
    arms = arms_of(tmp_path, smoke=True, settings=["rounds.steps=9", "domains=mat,bio"])
    assert {a.config(0).rounds.steps for a in arms.values()} == {9}
    assert {a.config(0).domains for a in arms.values()} == {("materials", "biology")}
    assert all(a.config(0).smoke for a in arms.values())


@pytest.mark.parametrize("name", suite_names())
def test_a_bench_command_gives_the_arms_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []
    monkeypatch.setattr("coopt.cli.bench._bench", lambda config, *_, **__: seen.append(config))
    arms = make_arms(read_suite(suite_path(name)), name)
    for arm in arms:
        monkeypatch.setattr(sys, "argv", ["coopt", "bench", *arm.arguments(3)])
        main()
    assert seen == [arm.config(3) for arm in arms]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question = 3", "question = 3: input should be a valid string"),
        ("seeds = 2", "question is missing"),
        ('question = "Q"', "no arms. Give [grid] an axis"),
        ('question = "Q"\nqestion = "P"', "unknown key 'qestion'. Did you mean 'question'?"),
        ('question = "Q"\nseeds = 0', "seeds = 0: input should be greater than or equal to 1"),
        ('question = "Q"\n[grid]\ntopology = "ring"', "grid.topology = 'ring': give a list of values"),
        ('question = "Q"\n[grid]\ntopology = []', "grid.topology = []: give a list of values"),
        ('question = "Q"\n[grid]\nsize = [{ nodes = 4 }]', "give a table with a name and settings"),
        ('question = "Q"\n[grid]\nsize = [{ name = "a", priority = "x" }]', "give a whole number"),
        ('question = "Q"\n[grid]\nrounds.step = [1]', "arm 'step1': unknown setting 'rounds.step'"),
        ('question = "Q"\n[grid]\nrounds.steps = [0]', "arm 'steps0': setting rounds.steps = 0"),
        ('question = "Q"\n[grid]\nseed = [0, 1]', "seed stands at the top of the suite's file"),
        ('question = "Q"\n[grid]\ndomains = ["phys,astro"]', "unknown domain 'astro'"),
        ('question = "Q"\n[[arms]]\nname = "a/b"', "arm name 'a/b': letters, digits"),
        ('question = "Q"\n[[arms]]\nname = "a"\n[[arms]]\nname = "a"', "two arms are named 'a'"),
        ('question = "Q"\n[base]\npreset = "maxi"\n[[arms]]\nname = "a"', "arm 'a': unknown preset 'maxi'"),
        ("question = ", "not TOML"),
        ('question = "Q"\n[grid]\n' + "".join(f"a{k}.b = [1, 2, 3, 4]\n" for k in range(40)), "Most: 10,000"),
        ('question = "Q"\nseeds = 1000000000\n[grid]\nseed = [1]', "1,000,000,000 benches (arms x seeds)"),
    ],
)
def test_a_bad_suite_is_one_line(cli: Command, tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, text)
    done = cli("sweep", "suite.toml", "--dry-run")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert "suite.toml" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pears"], "unknown suite 'pears'. Did you mean 'pairs'?"),
        (["none.toml"], "suite none.toml: no such file"),
        ([], "coopt sweep needs a suite"),
        (["pairs", "--budget", "soon"], "--budget soon: give a number and s, m or h"),
        (["pairs", "--jobs", "0"], "--jobs and --workers must be at least 1"),
        (["pairs", "--format", "html"], "unknown format 'html'"),
        (["pairs", "--cluster", "pbs"], "setting cluster.kind = 'pbs'"),
        (["pairs", "--profile", "gpus"], "--profile: unknown profile 'gpus'. Did you mean 'gpu'?"),
        (["pairs", "--profile", "dev"], "--cluster slurm: sbatch and srun are not on this machine"),
    ],
)
def test_a_bad_command_is_one_line(
    cli: Command, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    done = cli("sweep", *arguments)
    assert (done.code, message in done.err) == (2, True), done.err


# -- order and budget ----------------------------------------------------------------------------------


def cells(folder: Path, priorities: dict[str, int], seeds: int = 2) -> list[Cell]:
    arms = [Arm(name, "mini", True, {}, priority) for name, priority in priorities.items()]
    return make_cells(arms, range(seeds), folder)


def test_first_seeds_first_then_priority_then_the_cheaper(tmp_path: Path) -> None:
    found = cells(tmp_path, {"dear": 0, "cheap": 0, "urgent": 1})
    costs = {"dear": 30.0, "cheap": 10.0, "urgent": 90.0}
    order = most_informative_first(found, {c: costs[c.arm.name] for c in found})
    assert [(c.arm.name, c.seed) for c in order] == [
        ("urgent", 0), ("cheap", 0), ("dear", 0), ("urgent", 1), ("cheap", 1), ("dear", 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("budget", "jobs", "taken"),
    [(None, 1, [10, 50, 20, 5]), (60, 1, [10, 50]), (64, 1, [10, 50]), (65, 1, [10, 50, 5]), (50, 2, [10, 50, 20, 5]),
     (35, 1, [10, 20, 5]), (4, 3, [])],
)  # fmt: skip
def test_a_budget_takes_what_fits_in_order(tmp_path: Path, budget: float | None, jobs: int, taken: list[int]) -> None:
    seconds = [10, 50, 20, 5]
    order = cells(tmp_path, {f"a{s}": 0 for s in seconds}, seeds=1)
    costs = dict(zip(order, map(float, seconds), strict=True))
    inside, outside = within(order, costs, budget, jobs)
    assert [costs[c] for c in inside] == taken
    assert set(inside) | set(outside) == set(order)


def test_budgets() -> None:
    assert [parse_budget(t) for t in ("90s", "30m", "1.5h")] == [90, 1800, 5400]
    with pytest.raises(ConfigError, match="--budget 30: give a number"):
        parse_budget("30")


# -- the shipped suites --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_is_dry_run(cli: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("coopt.driver.plan.choose.probe_speed", lambda config, threads: REFERENCE)
    done = cli("sweep", name, "--dry-run")
    assert done.code == 0, done.err
    for arm in make_arms(read_suite(suite_path(name)), name):
        assert f" {arm.name} " in done.out
    assert "0 of" in done.out
    assert "left out" not in done.out
    assert not Path("runs").exists()


def test_the_list_has_every_suite_with_its_question_and_cost(cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded suites together need six hours at most, and the maps of worlds as much again."""
    found: dict[str, list[TimeEstimate]] = {}
    estimate = Estimator.__call__

    def kept(self: Estimator, cell: Cell) -> TimeEstimate:
        found.setdefault(cell.sweep.name, []).append(made := estimate(self, cell))
        return made

    monkeypatch.setattr(Estimator, "__call__", kept)
    done = cli("sweep", "--list")
    assert done.code == 0
    assert set(found) == set(suite_names())
    assert all(len({e.assumed for e in own}) == 1 for own in found.values())
    total = {True: 0.0, False: 0.0}
    for name, own in found.items():
        total[name.startswith("worlds-")] += sum(e.seconds for e in own if not e.assumed)
    assert 3600 < total[False] <= 6 * 3600
    assert 3600 < total[True] <= 6 * 3600
    text = " ".join(done.out.split())
    for name in suite_names():
        assert name in text
        assert read_suite(suite_path(name)).question.split()[0] in text
    assert "together 8 h" in text


def test_the_reference_speeds_plan_the_default_as_it_was_measured(tmp_path: Path) -> None:
    """README: 136 s on two idle cores."""
    assert Plan(Run(tmp_path, load_config()), REFERENCE, 2).wall_seconds() == pytest.approx(136, rel=0.05)


def test_a_base_half_as_fast_has_students_half_as_fast() -> None:
    base = Speed(prompt=11.9, response=17.8, generate=29_000, train=6_500, distinct=0.8)
    assert of_students(base, 8) == pytest.approx(REFERENCE)
    slow = of_students(base._replace(generate=14_500, train=3_250), 8)
    assert (slow.generate, slow.train) == pytest.approx((REFERENCE.generate / 2, REFERENCE.train / 2))
    assert of_students(base, 1).distinct == 1
