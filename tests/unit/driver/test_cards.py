"""GPUs of one machine are dealt over its workers. The GPUs are made up: a worker is only told what it sees."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.driver import bench
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.speed import REFERENCE
from coopt.driver.tasks import cards, launch
from coopt.driver.tasks.cards import cards_here, dealt, width_of
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import BreakRate, Score, Specialise, Task, Train
from coopt.runs.run import Run

RING = ("topology=ring", "domains=phys,chem,mat,bio")
SCORES: list[Task] = [Score(0, "init", 0, f"s{k}", "test") for k in range(6)]
TRAINED: list[Task] = [Train(0, "sdpo", 1, f"s{k}", ()) for k in range(3)]


def note(directory: str, group: Sequence[Task]) -> None:
    """What a worker does in place of its task. It waits until so many are at work as there should be, so that none
    does them all."""
    (task,) = group
    begun, started = Path(directory) / f"begun-{type(task).__name__}", time.time()
    begun.mkdir(exist_ok=True)
    (begun / str(os.getpid())).touch()
    wanted = store.read_json(Path(directory) / "workers.json")[type(task).__name__]
    while len(list(begun.iterdir())) < wanted:
        assert time.time() - started < 300
        time.sleep(0.02)
    line = {"task": task.label(), "sees": os.environ.get("CUDA_VISIBLE_DEVICES"), "times": [started, time.time()]}
    store.write_json(Path(directory) / "seen" / f"{task.label()}.json", line)


def seen(directory: Path) -> dict[str, tuple[str, list[float]]]:
    found = [store.read_json(p) for p in (directory / "seen").glob("*.json")]
    return {f["task"]: (f["sees"], f["times"]) for f in found}


def perform(
    run: Run, workers: int, tasks: list[Task], *, scoring: int, training: int
) -> dict[str, tuple[str, list[float]]]:
    store.write_json(run.directory / "workers.json", {"Score": scoring, "Train": training})
    with launch.Launcher(run, workers, Display(Console(file=io.StringIO()), 1.0, lambda task: 1.0)) as launcher:
        launcher(tasks)
    return seen(run.directory)


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "workers", "trained"), [(2, 2, {"4,5", "6,7"}), (1, 3, {"4", "5", "6"})])
def test_scores_have_a_gpu_each_and_students_as_many_as_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int, workers: int, trained: set[str]
) -> None:
    monkeypatch.setattr(cards, "cards_here", lambda config: ["4", "5", "6", "7"])
    monkeypatch.setattr(launch, "_work", note)
    run = Run(tmp_path, load_config(settings=[*RING, f"parallel.ranks={ranks}"]))
    found = perform(run, workers, [*TRAINED, *SCORES], scoring=ranks * workers, training=len(trained))
    assert {found[t.label()][0] for t in SCORES} == set("4567"[: ranks * workers])
    assert {found[t.label()][0] for t in TRAINED} == trained
    for a, (sees_a, times_a) in found.items():
        for b, (sees_b, times_b) in found.items():
            at_once = a != b and times_a[0] < times_b[1] and times_b[0] < times_a[1]
            assert not (at_once and set(sees_a.split(",")) & set(sees_b.split(","))), "two on one GPU"


@pytest.mark.slow
def test_on_cpus_nothing_is_dealt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(launch, "_work", note)
    run = Run(tmp_path, load_config(settings=["run.device=cpu"]))
    found = perform(run, 2, [*TRAINED, *SCORES], scoring=1, training=2)
    assert {sees for sees, _ in found.values()} == {None}


def test_a_workers_gpus_are_those_that_this_process_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cards_here(load_config()) == ["0", "1", "2"]
    assert cards_here(load_config(settings=["run.device=cpu"])) == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-8f")
    assert cards_here(load_config()) == ["5", "GPU-8f"]


def test_widths_follow_ranks_and_the_engine() -> None:
    config, split = load_config(settings=["parallel.ranks=2"]), ["engine.kind=vllm", "engine.tensor_parallel=4"]
    assert [width_of(t, config) for t in (SCORES[0], BreakRate(0, "s1", ()), TRAINED[0])] == [1, 1, 2]
    assert width_of(SCORES[0], load_config(settings=split)) == 4
    assert dealt(["0", "1", "2", "3", "4"], 2) == ["0,1", "2,3"]
    assert dealt(["0"], 2) == ["0"], "too few: torch or the ranks will say so"


@pytest.mark.parametrize(("here", "ranks", "workers"), [(1, 1, 1), (8, 1, 4), (8, 2, 4), (3, 2, 1), (1, 2, 1)])
def test_a_machine_with_gpus_trains_as_many_students_as_fit(
    monkeypatch: pytest.MonkeyPatch, here: int, ranks: int, workers: int
) -> None:
    monkeypatch.setattr(bench, "cards_here", lambda config: [str(k) for k in range(here)])
    assert bench.default_workers(load_config(settings=[*RING, f"parallel.ranks={ranks}"])) == workers


@pytest.mark.parametrize(
    ("settings", "here", "workers", "used"),
    [
        ((), 8, 4, 8),  # four students train; eight GPUs score
        ((), 8, 2, 2),  # somebody asked for fewer students than there is room for
        (("parallel.ranks=2",), 16, 4, 16),
        (("parallel.ranks=2",), 4, 1, 2),
        (("engine.kind=vllm", "engine.tensor_parallel=2"), 8, 1, 2),  # the one worker's vLLM is split over two
        (("engine.kind=vllm", "engine.tensor_parallel=2"), 5, 2, 5),
    ],
)
def test_what_is_not_training_uses_all_gpus_unless_fewer_students_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...], here: int, workers: int, used: int
) -> None:
    monkeypatch.setattr(cards, "cards_here", lambda config: [str(k) for k in range(here)])
    assert len(cards.cards_for(load_config(settings=[*RING, *settings]), workers, 4)) == used


@pytest.mark.parametrize(("ranks", "here", "trained", "scored"), [(1, 8, 4, 8), (2, 8, 4, 8), (2, 0, 3, 3)])
def test_a_plan_knows_that_scores_have_more_workers_than_students(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ranks: int, here: int, trained: int, scored: int
) -> None:
    monkeypatch.setattr(cards, "cards_here", lambda config: [str(k) for k in range(here)])
    run = Run(tmp_path, load_config(settings=[*RING, f"parallel.ranks={ranks}"]))
    plan = Plan(run, REFERENCE, trained)
    times = {True: 0.0, False: 0.0}
    for _, task in plan.tasks():
        times[isinstance(task, Train)] += plan.seconds(task)
    assert plan.wall_seconds() == pytest.approx(8.0 + times[True] / trained + times[False] / scored)


def test_an_engine_that_scored_is_ended_before_ranks_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from coopt.driver.tasks import perform as tasks

    done: list[str] = []
    monkeypatch.setattr(tasks, "release_engines", lambda config: done.append("released"))
    monkeypatch.setattr(tasks.ranks, "launch_ranks", lambda *_, **__: done.append("launched"))
    run = Run(tmp_path, load_config(settings=[*RING, "parallel.ranks=2"]))
    tasks.train(Train(0, "sdpo", 1, "s1", ()), run, None)
    assert done == ["released", "launched"]


def test_an_engine_that_scored_in_this_process_sleeps_before_a_student_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coopt.driver.tasks import perform as tasks

    done: list[str] = []
    engine = SimpleNamespace(rest=lambda: done.append("rested"))
    monkeypatch.setattr(tasks, "make_engine", lambda config: engine)
    monkeypatch.setattr(tasks, "phase_of", lambda *_: done.append("loaded"))
    monkeypatch.setattr(tasks, "train_phase", lambda phase: done.append("trained"))
    run = Run(tmp_path, load_config(settings=[*RING]))
    tasks.train(Train(0, "sdpo", 1, "s1", ()), run, None)
    assert done == ["rested", "loaded", "trained"]
    monkeypatch.setattr(tasks, "make_or_take", lambda *_: done.append("fine-tuned"))
    tasks.specialise(Specialise(1, "s1"), run, None)
    assert done[3:] == ["rested", "fine-tuned"], "of the next seed: the scores of the one before were its last tasks"
