"""Adapter mode: students share one base's tensors, keep their adapters apart, and survive the disk."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.graph.files import load_topology
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.policy import Policy, load_policy, merged_state, save_policy
from coopt.lm.shared import load_student, shared_base
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.students import check_students

ROW = TrainRow((1, 5, 9), (1, 5, 9, 30, 31), (40, 41))
IDS = torch.tensor([[1, 5, 9, 40]])


@pytest.fixture
def config() -> Config:
    shared_base.cache_clear()
    settings = ["model.weights=lora", "model.shared_base=true", "model.lora_rank=4", "run.device=cpu"]
    return load_config(settings=[*settings, "optimizer.warmup=0", "optimizer.lr=1e-2"])


def student(config: Config, directory: Path, key: str) -> Policy:
    return make_trainable(load_student(config, directory), "lora", 4, key)


def train(policy: Policy, config: Config) -> None:
    trainer = LocalTrainer(policy, config)
    for _ in range(3):
        trainer.update([ROW], 1)


def test_students_share_the_base_and_train_apart(config: Config, shipped: Policy) -> None:
    one, two = student(config, SCIMINI_BASE, "a"), student(config, SCIMINI_BASE, "b")
    before = two.model(IDS).logits
    train(one, config)
    assert not torch.allclose(one.model(IDS).logits, before, atol=1e-2)
    assert torch.equal(two.model(IDS).logits, before)
    base = shared_base(SCIMINI_BASE, "float32", "cpu").model
    assert torch.equal(base(IDS).logits, shipped.model(IDS).logits), "the base is as it was"
    tensors = {p.data_ptr() for p in base.parameters()}
    for policy in (one, two):
        assert {p.data_ptr() for n, p in policy.model.named_parameters() if ".lora_" not in n} == tensors


def test_a_student_is_saved_as_a_plain_model_and_as_an_adapter(config: Config, tmp_path: Path) -> None:
    policy = student(config, SCIMINI_BASE, "a")
    train(policy, config)
    expected = policy.model(IDS).logits
    save_policy(policy, tmp_path / "m")
    assert torch.equal(policy.model(IDS).logits, expected), "saving changes nothing"
    plain = load_policy(tmp_path / "m", device="cpu")
    assert torch.allclose(plain.model(IDS).logits, expected, atol=1e-4)
    again = student(config, tmp_path / "m", "another key")
    assert again.base is policy.base
    assert torch.equal(again.model(IDS).logits, expected), "the adapter goes on; no new one is put on it"
    assert again.trainable().keys() == policy.trainable().keys()


def test_weights_of_its_own_are_served_alone(config: Config, shipped: Policy, tmp_path: Path) -> None:
    save_policy(shipped, tmp_path / "critic")
    assert load_student(config, tmp_path / "critic").base is None
    assert load_student(config, SCIMINI_BASE).base is not None


def test_a_shared_base_needs_adapters() -> None:
    config = load_config(settings=["model.shared_base=true"])
    with pytest.raises(ConfigError, match=r"model\.weights=lora"):
        check_students(config, load_topology("pair", config.domains))


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_the_merged_state_is_that_of_the_model_that_is_saved(shipped: Policy, tmp_path: Path, weights: str) -> None:
    """An engine serves the one, users load the other."""
    plain = replace(shipped, model=copy.deepcopy(shipped.model))
    policy = plain if weights == "full" else make_trainable(plain, "lora", 4, "merged")
    save_policy(policy, tmp_path / "saved")
    saved, merged = load_policy(tmp_path / "saved").model.state_dict(), merged_state(policy)
    assert merged.keys() == saved.keys()
    assert all(torch.equal(merged[name], tensor) for name, tensor in saved.items())
