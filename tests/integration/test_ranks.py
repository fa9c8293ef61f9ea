"""The main job with two ranks a phase: the losses of one rank, and the same tables after a kill."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.schema import Config
from tests.integration.conftest import SMOKE, Coopt, begin, run_coopt, smoke_config, tables

pytestmark = pytest.mark.heavy
SETTINGS = ("gate.kind=always", "break_rate.questions=0", "rounds.steps=3")


def config(ranks: int) -> Config:
    return smoke_config(("opcod",), [*SETTINGS, f"parallel.ranks={ranks}"])


def command(ranks: int) -> list[str]:
    settings = (*SETTINGS, f"parallel.ranks={ranks}")
    return [*SMOKE, "--method", "opcod", "--workers", "1", "--out", "run", *(x for s in settings for x in ("--set", s))]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, smoke_run: Path) -> dict[int, Path]:
    """Number of ranks -> a finished run."""
    runs = {}
    for ranks in (1, 2):
        folder = tmp_path_factory.mktemp(f"ranks{ranks}")
        begin(folder / "run", smoke_run, config(ranks))
        done = run_coopt(*command(ranks), at=folder)
        assert done.returncode == 0, done.stderr
        runs[ranks] = folder / "run"
    return runs


def first_round(run: Path, kind: str) -> list[Any]:
    return [x for s in ("s1", "s2") for x in store.read_lines(run / f"seeds/0/opcod/r1/{s}.{kind}.jsonl")]


def test_two_ranks_train_as_one_does(finished: dict[int, Path]) -> None:
    """Same rollouts and feedback of the first steps, losses to 1e-5. Later a token may fall otherwise."""
    one, two = (first_round(finished[n], "steps") for n in (1, 2))
    assert [s["step"] for s in two] == [0, 1, 2, 0, 1, 2]
    assert [s["loss"] for s in two] == pytest.approx([s["loss"] for s in one], abs=1e-5)
    for key in ("correct", "active_rows", "distinct_rows", "outcomes", "tokens"):
        assert [s[key] for s in two] == [s[key] for s in one]
    assert first_round(finished[2], "rollouts") == first_round(finished[1], "rollouts")


def test_a_published_student_loads_with_transformers(finished: dict[int, Path]) -> None:
    from transformers import AutoModelForCausalLM

    directory = finished[2] / "seeds/0/opcod/r2/s1"
    model = AutoModelForCausalLM.from_pretrained(directory / "model")
    assert model.config.model_type == "qwen3"
    assert len(list((directory / "state").glob("shard-*.safetensors"))) == 2
    assert not (directory.with_name("s1.checkpoints")).exists()


def test_killed_in_a_phase_and_resumed(
    coopt: Coopt, finished: dict[int, Path], smoke_run: Path, tmp_path: Path
) -> None:
    """Killed in the first phase while a checkpoint is written behind it, then between two of its steps, then in three
    phases one after another, the last of them in round 2. A point counts in one phase's rank."""
    begin(tmp_path / "run", smoke_run, config(2))
    for point in ("checkpoint_write:2", "step:2", "step:3", "step:3", "step:3"):
        assert coopt(*command(2), fresh=True, COOPT_KILL_AT=point).returncode == -signal.SIGKILL, point
    again = coopt(*command(2), fresh=True)
    assert again.returncode == 0, again.stderr
    assert tables(tmp_path / "run") == tables(finished[2])
    for student in ("s1", "s2"):
        place = f"seeds/0/opcod/r2/{student}/model/model.safetensors"
        assert (tmp_path / "run" / place).read_bytes() == (finished[2] / place).read_bytes()


def test_other_ranks_in_the_same_folder_are_refused(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    begin(tmp_path / "run", smoke_run, config(2))
    done = coopt(*command(1))
    assert done.returncode == 2
    assert "parallel.ranks was 2, is 1" in done.stderr
