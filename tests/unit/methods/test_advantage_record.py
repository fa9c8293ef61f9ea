"""Recording per-token advantages: the right numbers, the right places, and no change of anything else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.rng import stable_hash
from coopt.domains.load import load_domains
from coopt.domains.scimini.world import SciminiDomain
from coopt.lm.policy import Policy
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import TrainRow
from coopt.lm.training.objectives import teacher_advantage
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.advantages import token_texts
from coopt.methods.phase import Phase, _advantages_are_due, train_phase
from coopt.methods.registry import make_method
from coopt.methods.tutors.base import OracleTutor
from tests.unit.small_phases import small_phase

ROWS = [
    TrainRow((1, 5, 9), (1, 5, 9, 30, 31, 32), (40, 41, 42, 43)),
    TrainRow((1, 5, 9), (1, 5, 9, 30), (40, 41, 42, 43)),
    TrainRow((1, 7), (1, 7, 33, 34), (60,)),
    TrainRow((1, 5, 9), (1, 5, 9, 30, 31, 32), (40, 41, 42, 43)),
]


def logprobs(model: Any, prompt: tuple[int, ...], response: tuple[int, ...]) -> torch.Tensor:
    """Log-probabilities of a response's tokens, one sequence at a time."""
    logits = model(torch.tensor([[*prompt, *response]])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(-1, torch.tensor(response)[:, None]).squeeze(1)


@pytest.mark.parametrize("kind", ["ema", "live", "frozen", "trust_region", "peer"])
def test_advantages_are_the_loss_own_teachers(untrained: Policy, kind: str) -> None:
    """Against the definition; the rows share prompts and responses, so that a mix-up of them would be seen."""
    settings = ["optimizer.warmup=0", "optimizer.lr=0.01", "teacher.rate=0.3", "loss.batch_tokens=64"]
    config = load_config(settings=[*settings, f"teacher.kind={'ema' if kind == 'peer' else kind}"])
    start = copy.deepcopy(untrained.model)
    trainer = LocalTrainer(make_trainable(untrained, "full", 4, "t"), config)
    trainer.peers = {"peer": Policy(start, untrained.tokenizer)}
    trainer.update(ROWS, 4)  # student and teacher part
    rows = [r._replace(teacher="peer") if kind == "peer" else r for r in ROWS]
    teacher = copy.deepcopy(start)
    if kind != "peer":
        teacher.load_state_dict(trainer.teacher.shadows, strict=False)
    if kind == "live":
        teacher = trainer.policy.model
    found = trainer.measure(rows, teacher_advantage)
    for row, values in zip(rows, found, strict=True):
        with torch.no_grad():
            told = logprobs(teacher, row.teacher_prompt, row.response)
            if kind == "trust_region":  # the mixture is of logits: compare with the definition by hand
                at = slice(len(row.teacher_prompt) - 1, -1)
                ids = torch.tensor([[*row.teacher_prompt, *row.response]])
                mixed = torch.lerp(teacher(ids).logits[0, at], trainer.policy.model(ids).logits[0, at], 0.3)
                told = mixed.log_softmax(-1).gather(-1, torch.tensor(row.response)[:, None]).squeeze(1)
            expected = told - logprobs(trainer.policy.model, row.student_prompt, row.response)
        assert torch.allclose(torch.tensor(values, dtype=torch.float64), expected.double(), atol=1e-5)
        assert expected.abs().max() > 1e-3


def phase(policy: Policy, folder: Path, method: str, *settings: str) -> Phase:
    given = ["rounds.prompts=4", "rounds.rollouts=4", "rounds.steps=3", "optimizer.warmup=0", *settings]
    config = load_config(settings=given)
    made = make_method(method, config.options)
    config = made.configure(config)
    tutors = {"oracle": OracleTutor(load_domains(config), "anchored")} if method == "oracle" else {}
    return small_phase(policy, folder, made, config, tutors)


def lines(folder: Path, name: str) -> list[Any]:
    return store.read_lines(folder / f"s1.{name}.jsonl")


EVERY_STEP = "record.advantages_every=1", "rounds.checkpoint_every=2", "record.advantages_rollouts=6"


@pytest.fixture(scope="module")
def whole(shipped: Policy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phase with records of every step."""
    folder = tmp_path_factory.mktemp("whole")
    train_phase(phase(shipped, folder, "oracle", *EVERY_STEP))
    return folder


def test_recording_changes_nothing(shipped: Policy, whole: Path, tmp_path: Path) -> None:
    train_phase(phase(shipped, tmp_path, "oracle", "record.advantages_every=0"))
    weights = [(f / "s1" / "model" / "model.safetensors").read_bytes() for f in (tmp_path, whole)]
    assert weights[0] == weights[1]
    assert lines(tmp_path, "rollouts") == lines(whole, "rollouts")
    assert [s["loss"] for s in lines(tmp_path, "steps")] == [s["loss"] for s in lines(whole, "steps")]
    assert not (tmp_path / "s1.advantages.jsonl").exists()


def test_what_is_recorded(whole: Path) -> None:
    records = lines(whole, "advantages")
    assert [r["step"] for r in records] == [0] * 6 + [1] * 6 + [2] * 6
    assert [r["rollout"] for r in records[:6]] == [0, 0, 0, 0, 1, 1]
    rollouts = {(g["step"], g["item"], j): y for g in lines(whole, "rollouts") for j, y in enumerate(g["rollouts"])}
    for r in records:
        written = rollouts[r["step"], r["item"], r["rollout"]]
        assert "".join(r["tokens"]) == written["text"]
        assert r["reward"] == written["reward"]
        assert len(r["tokens"]) == len(r["advantages"])
        assert "Critique:" in r["teacher_reads"]
        assert "Critique:" not in r["student_reads"]
    assert any(abs(a) > 0.1 for r in records for a in r["advantages"])


@pytest.mark.parametrize(("every", "due"), [(0, []), (1, [50, 51, 52, 53, 54]), (3, [50, 53, 54]), (9, [50, 54])])
def test_which_steps_are_recorded(shipped: Policy, tmp_path: Path, every: int, due: list[int]) -> None:
    """Counted from the start of the phase; the first and the last always."""
    made = phase(shipped, tmp_path, "sdpo", "rounds.steps=5", f"record.advantages_every={every}")
    made.tutee.round = 11
    assert [n for n in range(50, 55) if _advantages_are_due(made, n)] == due


def test_a_resumed_phase_has_the_records_of_an_undisturbed_one(shipped: Policy, whole: Path, tmp_path: Path) -> None:
    """Killed after its third step, whose records are written; the last checkpoint is of the second."""

    def die(tokens: int) -> None:
        if len(lines(tmp_path, "steps")) == 3:
            raise KeyboardInterrupt

    killed = phase(shipped, tmp_path, "oracle", *EVERY_STEP)
    killed.on_step = die
    with pytest.raises(KeyboardInterrupt):
        train_phase(killed)
    assert lines(tmp_path, "advantages")[-1]["step"] == 2
    train_phase(phase(shipped, tmp_path, "oracle", *EVERY_STEP))
    assert lines(tmp_path, "advantages") == lines(whole, "advantages")


def test_without_a_teacher_every_token_has_the_rollouts_advantage(
    shipped: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SciminiDomain, "score", lambda self, response, item: float(stable_hash(response) % 2))
    train_phase(phase(shipped, tmp_path, "grpo", "rounds.steps=1"))
    records = lines(tmp_path, "advantages")
    assert {r["source"] for r in records} == {"reward"}
    for r in records:
        (value,) = set(r["advantages"])
        assert value > 0 if r["reward"] else value < 0
        assert r["teacher_reads"] is None
    unequal = [g for g in lines(tmp_path, "rollouts") if len({y["reward"] for y in g["rollouts"]}) > 1]
    assert len(records) == 4 * len(unequal), "a group of equal rewards has no advantages"


def test_a_rollout_whose_first_tokens_are_skipped_is_recorded_without_them(shipped: Policy, tmp_path: Path) -> None:
    """sdft moves them to the end of both prompts."""
    settings = "record.advantages_every=1", "rounds.steps=1", "options.sdft.skip=1"
    train_phase(phase(shipped, tmp_path, "sdft", *settings))
    records = lines(tmp_path, "advantages")
    assert records
    rollouts = {(g["item"], j): y for g in lines(tmp_path, "rollouts") for j, y in enumerate(g["rollouts"])}
    for r in records:
        text, left = rollouts[r["item"], r["rollout"]]["text"], "".join(r["tokens"])
        assert text.endswith(left)
        assert len(left) < len(text)


def test_tokens_add_up_to_the_text(shipped: Policy) -> None:
    text = "melting of tin 232, kelvin 505\n<answer> 505</answer>"
    ids = [*shipped.tokenizer(text, add_special_tokens=False)["input_ids"], shipped.tokenizer.eos_token_id]
    texts = token_texts(shipped, ids)
    assert "".join(texts) == text
    assert texts[3] == " 232"
    assert texts[-1] == ""
