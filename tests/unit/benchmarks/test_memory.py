"""A step on tensors without values against the plan's figures; the counter itself on tensors with values."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from benchmarks.gpu.__main__ import ROOT
from benchmarks.memory.held import Held
from benchmarks.memory.phases import Lives, planned, simulate
from benchmarks.perf.adapters import tree_of
from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.lm.policy import Policy

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")


def paper(ranks: int, *settings: str) -> Config:
    return load_config(preset="paper", settings=["run.device=cpu", f"parallel.ranks={ranks}", *settings])


def agree(lives: Lives, config: Config, tree: dict[str, Any]) -> None:
    generating, training = planned(config, tree)
    assert generating == pytest.approx(lives.generating, rel=0.1)
    assert training == pytest.approx(lives.training, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_few_blocks_take_what_is_planned(ranks: int) -> None:
    """Blocks and vocabulary as in Qwen3-1.7B, and so few that the head outweighs them."""
    tree, config = tree_of("Qwen3-1.7B") | {"num_hidden_layers": 3}, paper(ranks, "loss.batch_tokens=4096")
    lives = simulate(tree, config)
    agree(lives, config, tree)
    parameters = 3 * 50_336_000 + 151_936 * 2048 + 2048
    served = 2 * parameters if ranks > 1 else 0
    assert lives.lasting["start"] == pytest.approx(8 * parameters / ranks + served, rel=1e-3)  # weights and teacher
    assert lives.lasting["update"] == pytest.approx(16 * parameters / ranks + served, rel=1e-3)  # and moments


@pytest.mark.slow
def test_adapters_on_a_frozen_base_take_what_is_planned() -> None:
    """While an engine writes, the largest copy of a weight that autocast makes is the head's; while the adapter is
    trained there is none of it, and logits are gone before a block is recomputed."""
    tree = tree_of("Qwen3-1.7B") | {"num_hidden_layers": 3}
    config = load_config(preset="paper-1gpu", settings=["run.device=cpu"])
    agree(simulate(tree, config), config, tree)


@pytest.mark.heavy
@pytest.mark.parametrize("settings", [(), ("parallel.activation_checkpointing=false",), ("teacher.kind=live",)])
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_of_1_7_billion_parameters_takes_what_is_planned(ranks: int, settings: tuple[str, ...]) -> None:
    tree, config = tree_of("Qwen3-1.7B"), paper(ranks, *settings)
    agree(simulate(tree, config), config, tree)


@pytest.mark.heavy
def test_the_command_says_how_far_the_plan_is_off() -> None:
    command = [sys.executable, "-m", "benchmarks.memory", "Qwen3-0.6B", "--ranks", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "the plan is off by" in done.stdout.splitlines()[-1]


def test_storages_count_once_and_while_they_are_held() -> None:
    with Held() as held:
        a = torch.zeros(1000)
        view, b = a[10:], a + 1
        assert held.now == 8000
        del a
        assert held.now == 8000, "the view still holds it"
        del view
        assert (held.now, held.peak) == (4000, 8000)
        b.untyped_storage().resize_(0)
        assert held.now == 0
        with held.aside():
            torch.zeros(5)
        assert held.now == 0


def test_a_copy_of_a_policy_takes_its_own_precision_and_no_more(shipped: Policy) -> None:
    """On the way to a GPU no second float32 model may lie on the node."""
    with Held() as held:
        made = shipped.copied(torch.device("cpu"), torch.bfloat16)
        assert held.peak < 2.1 * sum(p.numel() for p in shipped.model.parameters())
    ours, theirs = made.model.state_dict(), shipped.model.state_dict()
    assert {t.dtype for t in ours.values()} == {torch.bfloat16}
    assert all(torch.equal(ours[n], t.bfloat16()) for n, t in theirs.items())
    assert made.model.lm_head.weight is made.model.get_input_embeddings().weight, "tied, as it was"
    assert [b.dtype for b in made.model.buffers()] == [b.dtype for b in shipped.model.buffers()]
