"""Two real ranks over gloo against one process: losses, teacher, checkpoints, export, rollouts, failures."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coopt.core import store
from coopt.core.errors import RunError
from coopt.core.kernel import OutOfMemory
from coopt.core.rng import generator
from coopt.lm import ranks
from coopt.lm.engines.base import Draws
from coopt.lm.policy import load_policy
from coopt.lm.ranks import launch_ranks
from coopt.lm.training.divide import shares
from coopt.lm.training.trainer import LocalTrainer
from tests.unit import sharded_work as work


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two ranks left what they did."""
    made = tmp_path_factory.mktemp("ranks")
    launch_ranks(2, work.everything, [str(made)])
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    return store.read_json(folder / "found.json")


def local(*settings: str) -> list[float]:
    made = work.config(*settings)
    return work.losses(LocalTrainer(work.policy(made), made))


@pytest.mark.parametrize("name", list(work.CASES))
def test_two_ranks_give_the_losses_of_one(found: Any, name: str) -> None:
    """Also in the steps in which a rank, or every rank, has no row."""
    expected = local(*work.CASES[name])
    assert found["losses"][name] == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == work.STEPS


def test_frozen_peers_teach_two_ranks_as_one(found: Any) -> None:
    made = work.config(work.SMALL)
    expected = work.losses_by_peers(LocalTrainer(work.policy(made), made))
    assert found["peers"] == pytest.approx(expected, abs=1e-5)
    assert found["peers"] != pytest.approx(found["losses"]["full"], abs=1e-3)


def test_rows_of_several_kinds_train_on_two_ranks_as_on_one(found: Any) -> None:
    """What a rank reads for a micro-batch hangs on its kind, and ranks must read together."""
    made = work.config(work.SMALL)
    expected = work.losses_by_kinds(LocalTrainer(work.policy(made), made, work.KINDS))
    assert found["kinds"] == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == work.STEPS


def test_ranks_divide_what_is_read_without_gradients(found: Any) -> None:
    made = work.config(work.SMALL)
    one = LocalTrainer(work.policy(made), made)
    work.losses(one, 0, 1)
    expected = np.concatenate(work.said(one))
    for rank in found["read"]:
        assert np.concatenate(rank["said"]) == pytest.approx(expected, rel=2e-6)
    whole = sum(len(r.student_prompt) + len(r.response) for r in work.rows(0))
    assert all(rank["tokens"] < 0.75 * whole for rank in found["read"]), "more than a share, and padding"


def test_after_reading_a_rank_holds_its_shards_alone(found: Any) -> None:
    """Parameters that stay gathered have no moments that a checkpoint could find, and no step without rows could move
    the teacher."""
    assert [rank["kept"] for rank in found["read"]] == [True, True]
    assert [rank["empty"] for rank in found["read"]] == [0.0, 0.0]


def test_packing_gives_the_losses_of_padding(found: Any) -> None:
    assert found["losses"]["packed"] == pytest.approx(found["losses"]["full"], abs=1e-5)


def test_bfloat16_stays_near_one_process_in_float32(found: Any) -> None:
    assert found["bfloat16"] == pytest.approx(local(work.SMALL), abs=2e-2)
    assert found["bfloat16"] != pytest.approx(local(work.SMALL), abs=1e-6)


def test_the_teacher_computes_with_its_own_shards(found: Any) -> None:
    assert found["teacher"] == {"seen": True, "differs": True, "back": True}


def test_a_loss_that_is_not_finite_on_one_rank_stops_all_before_the_update(found: Any) -> None:
    assert len(found["stopped"]) == 2
    for message, kept in found["stopped"]:
        assert "the loss is nan" in message
        assert kept


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_resuming_from_a_checkpoint_is_exact(found: Any, weights: str) -> None:
    through, again = found["resumed"][weights]
    assert through == again


def test_without_carried_state_only_the_weights_are_read(found: Any) -> None:
    assert found["resumed"]["without optimizer"] == [0, True]


def test_a_torn_checkpoint_is_told_to_every_rank(found: Any) -> None:
    assert found["resumed"]["torn"] == ["told", "told"]


def test_a_checkpoint_of_two_ranks_is_read_by_one(folder: Path, found: Any) -> None:
    launch_ranks(1, work.on_one_rank, [str(folder)])
    through, _ = found["resumed"]["full"]
    assert store.read_json(folder / "one.json") == pytest.approx(through, abs=1e-5)
    assert not list((folder / "checkpoint full").glob("*.pkl"))
    assert {p.suffix for p in (folder / "checkpoint full").iterdir()} == {".safetensors", ".json", ""}


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_the_export_is_a_plain_model_with_the_same_logits(folder: Path, found: Any, weights: str) -> None:
    logits = load_policy(folder / weights, device="cpu").model(work.IDS).logits
    assert torch.allclose(logits, torch.tensor(found[f"{weights} logits"]), atol=1e-4)
    untrained = work.policy(work.config()).model(work.IDS).logits
    assert not torch.allclose(logits, untrained, atol=1e-3)


def test_rollouts_do_not_depend_on_the_ranks(found: Any) -> None:
    assert found["texts"]["ranks"] == found["texts"]["one"]
    assert all(text for group in found["texts"]["one"] for text in group)


def test_an_error_of_the_first_rank_is_everybodys(found: Any) -> None:
    assert found["errors"] == ["only rank 0 asked"] * 2


def test_a_killed_rank_ends_all_with_one_line() -> None:
    with pytest.raises(RunError, match="rank 1 of 2 was killed by SIGKILL"):
        launch_ranks(2, work.be_killed)


def test_what_nccl_aborts_is_said_to_have_waited() -> None:
    """NCCL's watchdog ends a process without an exception."""
    died, minute = RuntimeError("rank 1 ended"), timedelta(minutes=1)

    def said(code: int, waited: timedelta | None) -> str:
        return str(ranks._cause([0, code], [], died, OutOfMemory(), waited))

    assert "SIGABRT (NCCL does that after 60 s without an answer of another rank)" in said(-signal.SIGABRT, minute)
    assert "NCCL" not in said(-signal.SIGABRT, None)
    assert "NCCL" not in said(-signal.SIGKILL, minute)


def test_a_ranks_own_error_is_told() -> None:
    with pytest.raises(RunError, match="rank 1 has something to say"):
        launch_ranks(2, work.refuse)


def test_a_rank_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    with pytest.raises(RunError, match="rank 0 waited 3 s for another rank"):
        launch_ranks(2, work.hang, timeout=timedelta(seconds=3))


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_rows_are_shared_out_evenly_and_none_is_lost(ranks: int) -> None:
    costs = [int(c) for c in generator("shares").integers(1, 100, 40)]
    found = shares(list(enumerate(costs)), lambda row: row[1], ranks)
    assert sorted(row for share in found for row in share) == list(enumerate(costs))
    work_of = [sum(cost for _, cost in share) for share in found]
    assert max(work_of) <= 4 / 3 * max(sum(costs) / ranks, max(costs))
    assert all(share == sorted(share) for share in found)


def test_more_ranks_than_rows_leaves_some_without() -> None:
    assert shares(["a"], len, 3) == [["a"], [], []]


def test_a_share_of_the_draws_is_what_one_process_would_have_drawn() -> None:
    everything = Draws(generator(3)).uniforms(5, 2, 4)
    assert everything.dtype == np.float32
    assert (Draws(generator(3)).of([1, 3], 5).uniforms(2, 2, 4) == everything[[1, 3]]).all()
    seeds = Draws(generator(3)).seeds(5, 2)
    some = Draws(generator(3)).of([1, 3, 4], 5)
    assert (some.seeds(3, 2) == seeds[[1, 3, 4]]).all()
    assert (Draws(generator(3)).of([1, 3, 4], 5).of([2], 3).seeds(1, 2) == seeds[[4]]).all()  # ranks inside a rerun


def test_one_rank_brings_nothing_of_sharding_in() -> None:
    code = (
        "import sys, torch.distributed, coopt.driver.tasks.perform;"
        "print('coopt.lm.training.sharded' in sys.modules, torch.distributed.is_initialized())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_ranks_that_something_else_started_join_by_their_environment() -> None:
    """As in a cluster's job: nothing but RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT."""
    code = "from coopt.lm.ranks import gather, join_ranks, rank; join_ranks(); print(gather(rank() * 10))"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | place | {"RANK": str(own), "LOCAL_RANK": str(own)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for own in range(2)
    ]
    assert [process.communicate(timeout=300)[0].strip() for process in started] == ["[0, 10]", "[0, 10]"]
