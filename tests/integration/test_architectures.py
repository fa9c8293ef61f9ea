"""Real architectures, made tiny: each generates as transformers does, trains, is saved as it is, and ends a bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from coopt.core.config.load import load_config
from coopt.core.errors import ModelError
from coopt.core.quiet import quiet_libraries
from coopt.core.rng import generator
from coopt.domains.wording import SCIENCE
from coopt.driver.choices import Journaled
from coopt.driver.evaluation import evaluate_models
from coopt.driver.rounds import seed_tasks
from coopt.driver.tasks.perform import perform
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.engines.hf import HFEngine
from coopt.lm.engines.lockstep import LockstepEngine
from coopt.lm.lockstep import meeting
from coopt.lm.policy import Policy, load_policy, save_policy
from coopt.lm.saving import check_saving
from coopt.lm.shared import shared_copy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.lockstep import LockstepTrainer
from coopt.lm.training.trainer import LocalTrainer
from coopt.runs.measures.summary import summarise
from coopt.runs.run import Run
from tests.models.tiny import BROKEN, MATRIX, Tiny, build

pytestmark = pytest.mark.slow
QUESTIONS = ("Which force?\n\nA: one\nB: two\nPlease reason step by step.", "Mass?")
NAMES = [t.name for t in MATRIX]
TOKENS = 10


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    quiet_libraries()


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {t.name: build(t, folder / t.name) for t in MATRIX}


def of(name: str) -> Tiny:
    return next(t for t in MATRIX if t.name == name)


def policy(directory: Path, dtype: str = "float32") -> Policy:
    return load_policy(directory, dtype=dtype, device="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_greedy_rollouts_are_those_of_generate_with_their_log_probs(name: str, directories: dict[str, Path]) -> None:
    """Two prompts of different lengths in one batch, against each alone."""
    made = policy(directories[name])
    prompts = [made.prompt_ids(SCIENCE, q) for q in QUESTIONS]
    engine = HFEngine(8, logprobs=True)
    engine.sync(made)
    for ids, (rollout, _) in zip(
        prompts, engine.generate(prompts, 2, Sampling(0, TOKENS), Draws(generator(0))), strict=True
    ):
        alone = torch.tensor([ids])
        with torch.no_grad():
            told = made.model.generate(
                alone, attention_mask=torch.ones_like(alone), do_sample=False, max_new_tokens=TOKENS,
                eos_token_id=sorted(made.stop_ids()), pad_token_id=made.pad_id,
            )[0, len(ids):]  # fmt: skip
            logits = made.model(torch.tensor([[*ids, *rollout.tokens]])).logits[0, len(ids) - 1 : -1]
        expected = logits.log_softmax(-1).gather(-1, torch.tensor(rollout.tokens)[:, None])[:, 0]
        assert list(rollout.tokens) == told.tolist()
        assert rollout.logprobs == pytest.approx(expected.tolist(), abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_format_is_told_once_and_no_bos_twice(name: str, directories: dict[str, Path]) -> None:
    """Whatever the template makes of a system message: what SCIENCE says reaches the model."""
    made = policy(directories[name])
    ids = made.prompt_ids(SCIENCE, QUESTIONS[0])
    text = made.tokenizer.decode(ids)
    assert text.count("Write your reasoning between") == 1
    assert text.count("<answer>\nA\n</answer>") == 1
    assert ids.count(made.tokenizer.bos_token_id) == ("bos_token" in str(of(name).template))


def test_tags_of_the_format_are_text_also_where_the_tokenizer_calls_them_special(directories: dict[str, Path]) -> None:
    made = policy(directories["special-answer"])
    text = "so\n<answer>\nB\n</answer>"
    assert made.decode(made.response_ids(text)) == text
    assert "<|im_end|>" not in made.decode(made.tokenizer("a<|im_end|>")["input_ids"])
    ids = made.prompt_ids(SCIENCE, "a <|im_end|> b")
    assert ids.count(made.tokenizer.convert_tokens_to_ids("<|im_end|>")) == 2  # of the template's own turns


def test_a_thought_that_the_template_opens_is_in_the_response(directories: dict[str, Path]) -> None:
    assert policy(directories["qwen3-thinking"]).response([]) == "<think>"
    assert policy(directories["qwen3"]).response([]) == ""


@pytest.mark.parametrize("layout", ["loss.packed", "loss.shared_prefixes"])
@pytest.mark.parametrize("name", NAMES)
def test_rows_laid_out_together_are_read_as_alone(name: str, layout: str, directories: dict[str, Path]) -> None:
    """Where a model cannot, its rows are padded: the loss is the same whatever the settings say."""
    rows = [TrainRow((20, 21, 22), (20, 21, 22, 23), r) for r in ((7, 8, 9), (7, 5), (6,))]
    losses = []
    for settings in ([], [f"{layout}=true"]):
        config = load_config(settings=[*settings, "optimizer.warmup=0"])
        trainer = LocalTrainer(make_trainable(policy(directories[name]), "full", 4, "t"), config)
        losses.append(trainer.update(rows, 3).loss)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_students_in_lockstep_write_and_learn_as_alone(name: str, directories: dict[str, Path]) -> None:
    """Where the adapters of an architecture cannot be computed together, each student computes by itself."""
    base = policy(directories[name])
    config = load_config(settings=["model.weights=lora", "optimizer.warmup=0"])
    prompts = [base.prompt_ids(SCIENCE, q) for q in QUESTIONS]
    rows = [TrainRow((20, 21, 22), (20, 21, 22, 23), r) for r in ((7, 8, 9), (7, 5))]

    def work(k: int, engine: Engine, make: Callable[..., LocalTrainer], found: list[Any]) -> None:
        shared = replace(base, model=shared_copy(base.model), base=base.model)
        trainer = make(make_trainable(shared, "lora", 4, k), config)
        losses = [trainer.update(rows[k:], 3).loss for _ in range(3)]
        engine.sync(trainer.policy)
        texts = engine.generate(prompts[k:], 2, Sampling(0.7, TOKENS), Draws(generator(k)))
        found += [[y.tokens for group in texts for y in group], pytest.approx(losses, rel=1e-4)]

    alone: list[list[Any]] = [[], []]
    for k in range(2):
        work(k, HFEngine(8), LocalTrainer, alone[k])
    meet = meeting()
    beside: list[list[Any]] = [[], []]
    make = partial(LockstepTrainer, together=meet)
    meet.run([partial(work, k, LockstepEngine(meet, 8), make, beside[k]) for k in range(2)])
    assert [own[0] for own in beside] == [own[0] for own in alone]
    assert [own[1].expected for own in beside] == [own[1] for own in alone]


@pytest.mark.parametrize("weights", ["full", "lora"])
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_in_both_precisions_and_is_saved_as_it_is(
    name: str, weights: str, directories: dict[str, Path], tmp_path: Path
) -> None:
    rows = [TrainRow((20, 21, 22), (20, 21, 22, 23), (7, 8, 9)), TrainRow((20, 21), (20, 21, 24, 25, 26), (7, 8))]
    for dtype in ("float32", "bfloat16"):
        config = load_config(settings=[f"model.weights={weights}", f"model.dtype={dtype}", "optimizer.warmup=0"])
        trained = make_trainable(policy(directories[name], dtype), config.model.weights, 4, "t")
        trainer = LocalTrainer(trained, config)
        before = {n: p.detach().clone() for n, p in trained.trainable().items()}
        stats = trainer.update(rows, 2)
        assert stats.loss > 0
        assert any(not torch.equal(before[n], p) for n, p in trained.trainable().items())
        trainer.publish(tmp_path / dtype)
        seen = torch.tensor([[5, 6, 7, 8, 9]])
        with torch.no_grad():
            found = policy(tmp_path / dtype).model(seen).logits
            torch.testing.assert_close(found, trained.model(seen).logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("weights", ["full", "lora"])
@pytest.mark.parametrize("name", NAMES)
def test_a_bench_ends_in_scores(
    name: str, weights: str, directories: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tasks of a run with tutors, in this process, in bfloat16: every dtype was float32 in the tests once. Each
    model is saved for a look once: where specialists were made, it was then."""
    looked_at: list[Path] = []

    def look(made: Policy, start: Path) -> None:
        looked_at.append(start)
        check_saving(made, start)

    monkeypatch.setattr("coopt.driver.tasks.perform.check_saving", look)
    own = {
        "lora": ["model.weights=lora", _rationales(tmp_path), "break_rate.questions=0"],
        "full": ["model.specialise=none", "break_rate.questions=1"],
    }[weights]
    config = load_config(smoke=True, methods=("opcod",), model={"path": str(directories[name])}, settings=[
        *own, "model.dtype=bfloat16", "rounds.rounds=1", "rounds.steps=1", "rounds.prompts=2", "rounds.rollouts=2",
        "data.validation=2", "data.test=2", "sampling.eval_samples=1", "sampling.max_response_tokens=4",
        "sampling.max_feedback_tokens=4", "gate.kind=always", "feedback.style=naive",
        "run.device=cpu", "run.bootstrap=100", "world.rows=200",
    ])  # fmt: skip
    run = Run(tmp_path / "run", config)
    for tasks in seed_tasks(run, 0, Journaled(run, 0, run.journal())):
        for task in tasks:
            perform(task, run, None)
    results = summarise(run)
    assert {c.who for c in results.scores} == {"base", "init", "opcod"}
    assert [c.feedback for c in results.costs] == ["on"]
    assert len(looked_at) == (0 if weights == "lora" else len(run.topology.students))


def _rationales(folder: Path) -> str:
    config = load_config(smoke=True, settings=["world.rows=200"])
    items = [i for d in Run(folder, config).domains.values() for i in list(d.items("train"))[:2]]
    file = folder / "rationales.jsonl"
    file.write_text("".join(json.dumps({"question": i.stem, "rationale": i.answer}) + "\n" for i in items))
    return f"model.specialise=rationales:{file}"


def test_models_of_several_families_are_scored_side_by_side(directories: dict[str, Path]) -> None:
    few = ["data.test=2", "sampling.eval_samples=1", "sampling.max_response_tokens=6", "model.dtype=bfloat16"]
    chosen = [str(directories[n]) for n in ("llama", "gemma3", "falcon-mamba")]
    rows = evaluate_models(chosen, load_config(smoke=True, settings=few), "test")
    assert [r["model"] for r in rows] == [m for m in chosen for _ in range(2)]
    assert all(0 <= r["score"] <= 1 for r in rows)


@pytest.mark.parametrize("tiny", BROKEN, ids=lambda t: t.name)
def test_what_cannot_work_is_one_line_with_the_way_out(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as raised:
        policy(build(tiny, tmp_path / "model"))
    assert "\n" not in str(raised.value)
    assert "Use an instruction-tuned model" in str(raised.value)


def test_a_tokenizer_of_another_model_and_one_without_an_end_are_refused(
    directories: dict[str, Path], tmp_path: Path
) -> None:
    made = policy(directories["llama"])
    made.model.resize_token_embeddings(100)
    save_policy(made, tmp_path / "small")
    with pytest.raises(ModelError, match=r"the tokenizer has 4\d\d tokens and the model 100"):
        policy(tmp_path / "small")
    made = policy(directories["llama"])
    made.tokenizer.eos_token = None
    made.model.generation_config.eos_token_id = None
    made.model.config.eos_token_id = None
    save_policy(made, tmp_path / "endless")
    with pytest.raises(ModelError, match="names an end token"):
        policy(tmp_path / "endless")
