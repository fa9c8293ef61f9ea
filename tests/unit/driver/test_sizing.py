"""Sizes and memory from a config.json, against real models and a real optimizer; plans without models or rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coopt.core.config.load import load_config
from coopt.domains.base import SPLITS
from coopt.driver.plan.assumed import Assumed, assumed_questions, assumed_speed
from coopt.driver.plan.choose import make_plan
from coopt.driver.plan.memory import (
    GIB,
    MemoryPart,
    Placement,
    activation_values,
    memory_parts,
    peaks,
    students_that_fit,
)
from coopt.driver.plan.plan import Plan
from coopt.driver.plan.shape import QWEN3_8B, model_shape, shape_of
from coopt.driver.plan.speed import REFERENCE
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.policy import Policy, load_policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.trainer import LocalTrainer
from coopt.runs.run import Run
from tests.unit.conftest import Command
from tests.unit.kept_gradients import keep_gradients


def parts_of(layout: Placement, *settings: str) -> dict[str, MemoryPart]:
    config = load_config(settings=settings)
    shape, _ = model_shape(config.model.path)
    return {p.name: p for p in memory_parts(config, shape, Assumed(), layout)}


# -- against what torch really holds ---------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_weights_gradients_moments_and_teacher_are_exact(weights: str) -> None:
    config = load_config(settings=[f"model.weights={weights}"])
    policy: Policy = make_trainable(load_policy(SCIMINI_BASE, device="cpu"), config.model.weights, 8, "sizes")
    trainer = LocalTrainer(policy, config)
    prompt = tuple(policy.tokenizer("melting of tin?")["input_ids"])
    trainer.update([TrainRow(prompt, prompt + prompt, prompt)], 1)
    assert all(p.grad is None for p in policy.model.parameters()), "nothing is kept while others generate"
    kept = keep_gradients(trainer)
    trainer.update([TrainRow(prompt, prompt + prompt, prompt)], 1)
    parameters = list(policy.model.parameters())
    state = [t for group in trainer.optimizer.state.values() for t in group.values()]
    parts = parts_of(Placement(), f"model.weights={weights}")
    assert parts["weights"].bytes == sum(p.nbytes for p in parameters)
    assert parts["gradients"].bytes == sum(g.nbytes for g in kept.values())
    assert parts["AdamW moments"].bytes == sum(t.nbytes for t in state)
    assert parts["EMA teacher"].bytes == sum(t.nbytes for t in trainer.teacher.shadows.values())


def test_activations_are_estimated_within_a_third() -> None:
    """What autograd keeps of one forward of the tiny model, weights left out."""
    import torch

    policy = load_policy(SCIMINI_BASE, device="cpu")
    policy.model.requires_grad_(True)
    weights = {p.untyped_storage().data_ptr() for p in policy.model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.is_floating_point():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = 256
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        hidden = policy.causal_lm.get_decoder()(input_ids=torch.arange(tokens)[None], use_cache=False)
    assert hidden.last_hidden_state.requires_grad
    shape, _ = model_shape("scimini")
    measured = sum(kept.values()) / 4 / tokens / shape.layers
    assert sum(activation_values(shape)) == pytest.approx(measured, rel=1 / 3)


# -- the formula -----------------------------------------------------------------------------------------


def test_qwen3_8b_has_its_published_sizes() -> None:
    """8.2 billion parameters, 6.95 without embeddings (its model card)."""
    shape = shape_of(QWEN3_8B, "Qwen3-8B")
    assert shape.parameters == 8_190_735_360
    assert (shape.parameters - 2 * shape.head) / 1e9 == pytest.approx(6.95, abs=0.005)
    assert (shape.layers, shape.keys, shape.queries) == (36, 1024, 4096)


def test_ranks_share_what_is_sharded() -> None:
    one, two = parts_of(Placement()), parts_of(Placement(ranks=2))
    for name in ("weights", "gradients", "AdamW moments", "EMA teacher"):
        assert two[name].bytes == one[name].bytes / 2
    assert two["activations"].bytes == one["activations"].bytes
    for name in ("weights", "gradients", "AdamW moments", "EMA teacher"):
        assert parts_of(Placement(ranks=2, offload=True))[name].bytes == 0


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_tutor_is_held_in_the_precision_of_compute(ranks: int) -> None:
    shape, _ = model_shape("scimini")
    for dtype, size in (("bfloat16", 2), ("float32", 4)):
        assert parts_of(Placement(ranks=ranks), f"model.dtype={dtype}")["tutor"].bytes == size * shape.parameters


def test_a_live_teacher_recomputation_and_vllm_need_less() -> None:
    plain, thrifty = parts_of(Placement()), parts_of(Placement(recompute=True), "teacher.kind=live")
    assert thrifty["EMA teacher"].bytes == 0
    assert thrifty["activations"].bytes < plain["activations"].bytes
    served = parts_of(Placement(engine="vllm", share=0.25))
    assert served["vLLM"].bytes == 0.25 * Assumed().gpu_gib * GIB
    assert not served["vLLM"].training
    assert "KV cache" not in served


def test_the_peak_is_of_what_is_there_at_the_same_time() -> None:
    both, first, second = (
        MemoryPart("b", 1, ""),
        MemoryPart("f", 2, "", training=False),
        MemoryPart("s", 4, "", generating=False),
    )
    assert peaks([both, first, second]) == (3, 5)


# -- plans without models and rows -----------------------------------------------------------------------


def test_the_paper_preset_is_planned_without_model_and_rows(cli: Command) -> None:
    done = cli("bench", "--preset", "paper", "--dry-run", "--json", "--assume", "generate=5000")
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert plan["model"] == {"name": "Qwen3-8B", "parameters": 8_190_735_360}
    assert plan["assumed"]["generate"] == 5000
    assert len(plan["why_assumed"]) == 2
    assert plan["work"]["training opcod"]["tasks"] == 4
    rollouts = 50 * 32 * 8 * 600
    assert plan["work"]["training sdpo"]["tokens"] == 4 * rollouts
    assert plan["memory_bytes"]["AdamW moments"] // 2**30 == 30
    assert not Path("runs").exists()


def test_the_plan_says_what_it_assumes(cli: Command) -> None:
    text = " ".join(cli("bench", "--preset", "paper-1gpu", "--dry-run").out.split())
    for words in (
        "trained: lora; engine: vllm",
        "Qwen3-8B is not on this machine: sizes are those published for Qwen3-8B",
        "hicai-zju/SciKnowEval is not on this machine",
        "assumed: 6,000 tokens/s generated",
        "6.25 min (sdpo) and 6.66 min (opcod) on two H200",
        "2 rounds x 50 steps of 32 prompts x 8 rollouts",
    ):
        assert words in text


def test_a_config_alone_is_enough_for_sizes(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "config.json").write_text((SCIMINI_BASE / "config.json").read_text())
    plan = json.loads(cli("bench", "--preset", "paper", "--model", "bare", "--dry-run", "--json").out)
    assert plan["model"] == {"name": "bare", "parameters": model_shape("scimini")[0].parameters}
    assert "the weights of bare are not here" in plan["why_assumed"][0]
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/config.json").write_text('{"model_type": "tea"}')
    done = cli("bench", "--preset", "paper", "--model", "odd", "--dry-run")
    assert (done.code, "config.json does not describe a causal language model" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dry-run", "--assume", "speed=3"], "--assume: unknown assumption 'speed'"),
        (["--dry-run", "--assume", "train=-1"], "--assume train = -1: input should be greater than 0"),
        (["--assume", "train=3"], "--assume is for --dry-run"),
        (
            ["--preset", "paper", "--engine", "hf"],
            "setting model.specialise = 'rationales:rationales.jsonl': no such file",
        ),
    ],
)
def test_bad_assumptions_are_one_line(cli: Command, arguments: list[str], message: str) -> None:
    done = cli("bench", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_assumed_question_counts_are_those_of_sciknoweval() -> None:
    config = load_config(preset="paper", domains="phys,chem")
    # Of chemistry's 210 validation questions 110 are trained on.
    assert assumed_questions(config) == {"train": 640 + 1680 + 110, "validation": 80 + 100, "test": 80 + 210}
    assert set(assumed_questions(config)) == set(SPLITS)
    left_out = load_config(preset="paper", domains="phys,chem", settings=["data.rest_to_train=false"])
    assert assumed_questions(left_out)["train"] == 640 + 1680


def test_assumed_speeds_are_of_all_ranks(tmp_path: Path) -> None:
    speed = assumed_speed(Assumed(generate=10, train=20), ranks=2)
    assert (speed.generate, speed.train) == (20, 40)
    plan = make_plan(Run(tmp_path, load_config()), 2, Assumed(generate=100_000))
    assert plan.assumed is not None
    assert plan.speed.generate == 100_000


def test_the_familys_base_that_is_not_made_yet_is_planned_as_the_shipped_one(cli: Command) -> None:
    """Not at an 8B model's speed: it is as large as the shipped one, and the plan says how it is made."""
    asked = ("bench", "--dry-run", "--model", "scimini-family")
    why = "scimini-family has not been made yet (coopt data make-base --family): sizes are scimini's"
    assert why in cli(*asked).out
    plan = json.loads(cli(*asked, "--json").out)
    assert plan["assumed"] is None
    assert plan["why_assumed"] == [why]
    shipped = Plan(Run(Path("nowhere"), load_config()), REFERENCE, plan["workers"])
    assert plan["expected_seconds"] == pytest.approx(shipped.wall_seconds(), abs=0.1)
    assert cli("sweep", "worlds-gate", "--dry-run").out.count(why) == 1


def test_a_preset_extends_another(tmp_path: Path) -> None:
    paper, small = (load_config(preset=p) for p in ("paper", "paper-1gpu"))
    assert small.model.weights == "lora"
    assert small.rounds == paper.rounds
    assert small.optimizer.model_copy(update={"lr": paper.optimizer.lr}) == paper.optimizer
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "mini"\n[rounds]\nsteps = 7\n')
    assert load_config(preset=str(mine)).rounds.steps == 7
    assert load_config(preset=str(mine)).rounds.prompts == load_config(preset="mini").rounds.prompts


def test_the_nodes_memory_is_planned_and_a_job_that_asks_for_less_is_told(cli: Command) -> None:
    """Two ranks of an 8B model: 16 bytes a parameter in a checkpoint over two; beside it vLLM's two, of which what it
    pins is rounded up, and the two that it is handed; two GiB of a file."""
    plan = json.loads(cli("bench", "--preset", "paper", "--dry-run", "--json").out)
    assert plan["node_memory_of_a_rank"] == pytest.approx((16 / 2 + 1.4 * 2 + 2) * 8_190_735_360 + 2 * GIB, rel=1e-3)
    asked = ("bench", "--preset", "paper", "--profile", "gpu", "--dry-run", "--set", "cluster.memory_gb=64")
    assert "WARNING: host memory per rank: 100 GiB at most" in cli(*asked).out
    assert "WARNING" not in cli("bench", "--preset", "paper", "--profile", "gpu", "--dry-run").out


# -- several students on one GPU -------------------------------------------------------------------------


def test_each_student_in_lockstep_takes_an_adapter_with_all_that_is_learnt_on() -> None:
    lora = "model.weights=lora"
    one, four = parts_of(Placement(), lora), parts_of(Placement(students=4), lora)
    config = load_config(settings=[lora])
    shape, _ = model_shape(config.model.path)
    trained, _ = shape.trained(config.model.lora_rank)
    assert four["weights"].bytes - one["weights"].bytes == 3 * 4 * trained
    assert four["AdamW moments"].bytes == 4 * one["AdamW moments"].bytes
    assert four["activations"] == one["activations"]
    assert four["tutors' adapters"].bytes == 4 * 4 * trained


@pytest.mark.parametrize(("students", "fit"), [(1, 1), (3, 3), (4, 3), (1000, 3)])
def test_as_many_are_told_as_fit(students: int, fit: int) -> None:
    config = load_config(settings=["model.weights=lora"])
    shape, _ = model_shape(config.model.path)
    three = max(peaks(memory_parts(config, shape, Assumed(), Placement(students=3))))
    assumed = Assumed(gpu_gib=three / GIB * (1 + 1e-9))
    assert students_that_fit(config, shape, assumed, Placement(students=students)) == fit
    assert students_that_fit(config, shape, Assumed(gpu_gib=1e-6), Placement(students=students)) == 0
