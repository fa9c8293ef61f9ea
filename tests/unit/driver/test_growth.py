"""How work grows with the number of students, in what is counted: calls, designs, files read. Never in seconds."""

from __future__ import annotations

import io
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.meter import Reading
from coopt.core.statistics import bootstrap
from coopt.driver.plan import kept
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.simulate.summary import resampled_means
from coopt.driver.tasks import launch
from coopt.driver.tasks.launch import Launcher
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Score
from coopt.graph.topology import Edge
from coopt.runs.measures import break_rates
from coopt.runs.measures.probes import break_cells
from coopt.runs.run import Run
from tests.unit.small_runs import SMALL

LINEAR = 1.15


def calls(work: Callable[[], object]) -> int:
    """How many Python functions it calls."""
    count = 0

    def tick(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    work()  # what is made once and kept
    before = sys.getprofile()
    sys.setprofile(tick)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def run_of(folder: Path, topology: str, nodes: int, **settings: object) -> Run:
    changed = [f"{k}={v}" for k, v in (SMALL | settings).items()]
    return Run(folder, load_config(topology=topology, nodes=nodes, methods=("sdpo", "opcod"), settings=changed))


@pytest.mark.parametrize(("topology", "small", "large"), [("ring", 25, 100), ("complete", 6, 24)])
def test_a_plan_grows_as_its_edges_do(tmp_path: Path, topology: str, small: int, large: int) -> None:
    runs = [run_of(tmp_path, topology, n, **{"break_rate.questions": 2}) for n in (small, large)]
    few, many = (calls(lambda run=run: Plan(run, REFERENCE, 2).summary()) for run in runs)  # type: ignore[misc]
    edges = [len(run.topology.edges) for run in runs]
    assert math.log(many / few) / math.log(edges[1] / edges[0]) < LINEAR


# -- break-rates ---------------------------------------------------------------------------------------


def write_probes(run: Run) -> None:
    """Every edge, each answered in full."""
    rng = np.random.default_rng(0)
    shape = 10, 8

    def grid() -> list[list[int]]:
        return rng.integers(0, 2, shape).tolist()

    gates: dict[str, Any] = {}
    decided = {"open": True, "reason": "always", "gap": None, "gap_low": None, "gap_high": None, "flip": 0.0}
    for tutee in run.topology.students:
        domains = {}
        for name, domain in run.domains.items():
            edges = {
                str(Edge(t, tutee)): {k: grid() for k in ("f", "sf", "paper")} for t in run.topology.tutors_of(tutee)
            }
            items = [i.id for i in domain.items("validation")[: shape[0]]]
            common = {k: grid() for k in ("before", "again", "s", "paper_control")}
            for own in edges.values():
                own["kept"] = 80  # type: ignore[assignment]
            domains[name] = {"items": items, "edges": edges} | common
            gates |= dict.fromkeys(edges, decided)
        store.write_json(run.break_rate_path(0, tutee), {"version": 1, "domains": domains, "away": {}})
    run.journal().once("probe_gates", "0", lambda: gates)


def designs_made(folder: Path, nodes: int, monkeypatch: pytest.MonkeyPatch) -> int:
    run = run_of(folder, "complete", nodes, **{"break_rate.questions": 10, "break_rate.minimum": 1})
    write_probes(run)
    made: list[int] = []
    plain = break_rates.make_design
    with monkeypatch.context() as patch:
        patch.setattr(break_rates, "make_design", lambda clusters: made.append(1) or plain(clusters))
        cells = break_cells(run, run.journal())
    assert len([c for c in cells if c.gate == "any"]) == 3 * nodes * (nodes - 1)
    return len(made)


def test_edges_into_a_student_share_the_designs_of_their_rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six rates, three contexts and two states of every edge are about the questions of its tutee."""
    few, many = (designs_made(tmp_path / str(n), n, monkeypatch) for n in (3, 6))
    assert many <= 2.5 * few  # the students are twice as many, the edges five times


# -- the simulator -------------------------------------------------------------------------------------


def test_an_interval_over_many_students_holds_few_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    plain = bootstrap.resample_weights

    def counted(items: int, draws: int, rng: np.random.Generator) -> bootstrap.Array:
        held.append(items * draws)
        return plain(items, draws, rng)

    monkeypatch.setattr(bootstrap, "resample_weights", counted)
    rng = np.random.default_rng(0)
    for students in (10, 3_000, 100_000):
        assert len(resampled_means(rng.random(students), 500, rng)) == 500
    assert max(held) <= 1 << 20


# -- the driver ----------------------------------------------------------------------------------------


def test_a_look_reads_the_meters_of_tasks_that_are_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path, "pair", None)  # type: ignore[arg-type]
    read: list[Path] = []
    looks: list[int] = []

    looked_at = threading.Event()

    def work(directory: str, group: Sequence[Score]) -> None:
        if group[0].round < 2:  # the first two hold both workers for a few looks
            assert looked_at.wait(300)

    def reading(path: Path) -> Reading:
        read.append(path)
        return Reading()

    class Looking(Display):
        def update(self, running: Any) -> None:
            looks.append(len(running))
            if len(looks) > 3:
                looked_at.set()

    monkeypatch.setattr(launch, "_work", work)
    monkeypatch.setattr(launch, "read_meter", reading)
    monkeypatch.setattr(launch, "_POLL", 0.01)
    tasks = [Score(0, "sdpo", k, "s1", "validation") for k in range(60)]
    with ThreadPoolExecutor(2) as pool:
        launcher = Launcher(run, 2, Looking(Console(file=io.StringIO()), 1.0, lambda task: 1.0))
        launcher._perform(tasks, pool)  # type: ignore[arg-type]
    assert max(looks) <= 2
    assert len(read) <= sum(looks) + len(tasks)  # and once more when a task has ended


def test_speeds_are_kept_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config()
    assert kept.load(config, 1) is None
    days = [time.strftime("%Y-%m-%d")]
    kept.save(config, 1, REFERENCE)
    speed, day = kept.load(config, 1) or pytest.fail("nothing was kept")
    assert speed == REFERENCE
    assert day in [*days, time.strftime("%Y-%m-%d")]  # midnight may have passed
    assert kept.load(config, 2) is None, "another number of threads has other speeds"
    assert kept.load(load_config(settings=["sampling.max_response_tokens=64"]), 1) is None
    now = time.time()
    monkeypatch.setattr(kept.time, "time", lambda: now + 8 * 24 * 3600)
    assert kept.load(config, 1) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"when": "x"}', '{"when": NaN, "speed": {}}'])
def test_a_damaged_speed_is_measured_again(text: str) -> None:
    config = load_config()
    kept.save(config, 1, REFERENCE)
    (file,) = kept._path(config, 1).parent.iterdir()
    file.write_text(text)
    assert kept.load(config, 1) is None
