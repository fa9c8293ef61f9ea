"""A checkpoint behind the training takes its own size of memory once, not twice."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks.gpu.models import TINY
from benchmarks.perf.peak import cost
from benchmarks.perf.untrained import build_tokenizer
from coopt.core import store
from coopt.core.config.load import load_config
from coopt.lm.policy import Policy
from coopt.lm.ranks import launch_ranks
from coopt.lm.training import sharded_checkpoint
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.checkpoint import state_tensors
from coopt.lm.training.sharded import ShardedTrainer
from coopt.lm.training.trainer import LocalTrainer

LIMITS = {"files": 2**21, "one": 2**40}


def save_in_both_ways(folder: str) -> None:
    """What one rank does: the most that a background checkpoint takes, over the bytes of the state."""
    path, found = Path(folder), {}
    tree: dict[str, Any] = TINY | {"hidden_size": 256, "num_hidden_layers": 12, "intermediate_size": 768}
    policy = Policy(Qwen3ForCausalLM(Qwen3Config(**tree)).eval().requires_grad_(True), build_tokenizer())
    trainer = ShardedTrainer(policy, load_config(settings=["run.device=cpu", "optimizer.warmup=0"]))
    trainer.update([TrainRow((5, 6), (5, 6, 7), (8, 9))], 1)
    size = sum(t.nbytes for t in state_tensors(trainer).values())
    trainer.save(path / "first", background=True)  # loads what is needed
    trainer.settle()
    for name, limit in LIMITS.items():
        sharded_checkpoint.files_of.__defaults__ = (limit,)

        def save(name: str = name) -> None:
            trainer.save(path / name, background=True)
            trainer.settle()

        found[name] = cost(save, torch.device("cpu")).bytes / size
    trainer.load(path / "files")
    found["state"] = size
    store.write_json(path / "found.json", found)


@pytest.mark.slow
def test_files_of_a_checkpoint_are_small_so_its_bytes_lie_in_memory_once(tmp_path: Path) -> None:
    launch_ranks(1, save_in_both_ways, [str(tmp_path)])
    found = store.read_json(tmp_path / "found.json")
    assert found["state"] > 1e8
    assert found["files"] < 1.4
    assert found["one"] > 1.7, "as it was: the file once more"
    assert len(list((tmp_path / "files").glob("shard-00001-model-*.safetensors"))) > 10


def test_a_tensor_is_in_one_file_and_files_are_filled_in_order() -> None:
    state = {name: torch.zeros(n) for name, n in {"a": 10, "b": 20, "c": 100, "d": 1, "e": 1}.items()}
    assert sharded_checkpoint.files_of(state, 120) == {"a": 1, "b": 1, "c": 2, "d": 3, "e": 3}
    assert set(sharded_checkpoint.files_of(state).values()) == {1}


def test_a_sharded_checkpoint_is_read_into_the_weights_and_teacher_that_are_there(shipped: Policy) -> None:
    """Room for both beside them would double what training takes; only moments are new."""
    config = load_config(settings=["optimizer.warmup=0"])
    trainer = LocalTrainer(make_trainable(copy.deepcopy(shipped), "full", 4, "t"), config)
    names = {f"{kind}/{n}" for kind in ("student", "step", "exp_avg") for n in trainer.policy.trainable()}
    places = sharded_checkpoint._places(trainer, names, optimizer=True, teacher=True)
    for name, parameter in trainer.policy.trainable().items():
        assert places[f"student/{name}"].data_ptr() == parameter.data_ptr()
        assert places[f"teacher/{name}"].data_ptr() == trainer.teacher.shadows[name].data_ptr()
        assert places[f"exp_avg/{name}"].shape == parameter.shape
