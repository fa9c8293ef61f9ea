"""coopt's updates against TRL's own trainers: same tiny model, same rollouts, same rewards, same gradients.

Both sides compute in float64, with norms and rotary angles in float64 too (``exact_norms``, ``exact_angles``), so that
what differs is a difference of definition. Those that there are, and how they are aligned here, are in docs/methods.md,
"Against TRL".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

from coopt.lm.embedded.learn import new_model
from coopt.lm.embedded.tokenizer import build_tokenizer
from coopt.lm.policy import Policy, save_policy
from coopt.lm.training.base import TrainRow
from tests.integration.recorded_step import WORDING, RecordedStep, moved

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("exact_norms")]
EXACT, SINGLE = 1e-12, 1e-5  # where both sides have float64, and where TRL has advantages or log-probs in float32


@pytest.fixture(scope="module")
def trl() -> ModuleType:
    """TRL is imported here, so that these tests can be collected without it."""
    from tests.integration import trl_reference

    return trl_reference


@pytest.fixture(autouse=True)
def exact_angles(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRL pads prompts on the left and gives no position ids, which moves all positions of a row. To rotary embeddings
    only distances matter, but their angles are rounded to float32; without this the gradients agree to 8e-7."""

    def forward(self: Any, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        angles = (position_ids[..., None].double() * self.inv_freq.double()).repeat(1, 1, 2)
        return angles.cos(), angles.sin()

    monkeypatch.setattr(Qwen3RotaryEmbedding, "forward", forward)


@pytest.fixture(params=[0, 1300], ids=["all_tokens", "top_k"])
def policy(request: pytest.FixtureRequest, tmp_path: Path) -> Policy:
    """A random model whose distributions are neither flat nor sharp, also in ``tmp_path/model``. With 1,300 tokens
    coopt's divergence takes the student's top 100 and a tail."""
    tokenizer = build_tokenizer()
    model = new_model(tokenizer, 1)
    random = torch.Generator().manual_seed(2)
    if request.param:
        model.resize_token_embeddings(request.param, mean_resizing=False)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(0.12 * torch.randn(parameter.shape, generator=random))
    policy = Policy(model.double().eval(), tokenizer)
    save_policy(policy, tmp_path / "model")
    return policy


def agree(theirs: Sequence[Any], ours: RecordedStep, loss: float, tolerance: float, scale: float = 1.0) -> None:
    """The last updates: their mean loss, and each parameter's gradient relative to its norm. ``scale``: what TRL's are
    to be multiplied with."""
    assert loss == pytest.approx(scale * fmean(t.loss for t in theirs), rel=tolerance, abs=tolerance / 100)
    for computed, gradients in zip(theirs, ours.gradients[-len(theirs) :], strict=True):
        for name, gradient in gradients.items():
            assert gradient.norm() > 0, name
            assert (scale * computed.gradients[name] - gradient).norm() < tolerance * gradient.norm(), name


def sdpo_settings(policy: Policy, alpha: float = 0.5, tail: bool = True) -> dict[str, Any]:
    """TRL's settings for the reference run's loss, and coopt's texts as its templates."""
    top_k = {"distillation_mode": "topk_logits", "distillation_topk": 100, "distillation_add_tail": tail}
    full = {"distillation_mode": "full_logits"}
    return {
        "distillation_alpha": alpha,
        "success_reward_threshold": 0.5,
        "include_environment_feedback": True,
        "remove_thinking_from_demonstration": True,
        "reprompt_template": "{prompt}{solution}{feedback}" + WORDING.closing,
        "solution_template": WORDING.demonstration.replace("{demonstration}", "{successful_previous_attempt}"),
        "feedback_template": WORDING.feedback.replace("{feedback}", "{feedback_raw}"),
        **(top_k if policy.model.config.vocab_size >= 1000 else full),
    }


@pytest.mark.parametrize(("name", "active"), [("sdpo", 11), ("opcod", 13)])
def test_prompts_teachers_prompts_and_targets_are_those_of_trl(
    trl: ModuleType, policy: Policy, tmp_path: Path, name: str, active: int
) -> None:
    """Token by token: the student's input, the demonstration's choice, the reprompt, and which rollouts are dropped."""
    ours = RecordedStep(policy, name)
    recorded = ours.recorded(trl)
    theirs = trl.sdpo_trainer(tmp_path / "model", recorded, tmp_path, **sdpo_settings(policy))
    (batch,) = trl.step(theirs, recorded).batches

    def sequences(ids: torch.Tensor, mask: torch.Tensor) -> list[tuple[int, ...]]:
        has_target = batch["self_distillation_mask"].bool()
        return [tuple(i[m.bool()].tolist()) for i, m in zip(ids[has_target], mask[has_target], strict=True)]

    student = (torch.cat([batch[f"prompt_{x}"], batch[f"completion_{x}"]], dim=1) for x in ("ids", "mask"))
    assert len(ours.rows()) == active
    assert sequences(*student) == [r.student_prompt + r.response for r in ours.rows()]
    teacher = batch["teacher_input_ids"], batch["teacher_attention_mask"]
    assert sequences(*teacher) == [r.teacher_prompt + r.response for r in ours.rows()]


@pytest.mark.parametrize(
    ("name", "teacher"), [("sdpo", "ema"), ("opcod", "ema"), ("opcod", "live"), ("sdpo", "frozen")]
)
def test_sdpo(trl: ModuleType, policy: Policy, tmp_path: Path, name: str, teacher: str) -> None:
    """Two steps, so that in the second the teacher is another model. Dropped rollouts count in both denominators."""
    ours = RecordedStep(policy, name, f"teacher.kind={teacher}")
    recorded = ours.recorded(trl)
    kind = {"frozen": "base"}.get(teacher, teacher)
    settings = sdpo_settings(policy) | {"teacher_model_kind": kind}
    theirs = trl.sdpo_trainer(tmp_path / "model", recorded, tmp_path, **settings)
    for _ in range(2):
        agree([trl.step(theirs, recorded)], ours, ours.update().loss, EXACT)
        trl.move(theirs, moved)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("policy", "tail"), [(0, True), (1300, True), (1300, False)], indirect=["policy"])
def test_divergences(trl: ModuleType, policy: Policy, tmp_path: Path, alpha: float, tail: bool) -> None:
    """Beside alpha 0.5: both ends and an uneven mixture; with a tail or renormalised."""
    ours = RecordedStep(policy, "opcod", f"loss.alpha={alpha}", f"loss.tail={tail}".lower())
    recorded = ours.recorded(trl)
    theirs = trl.sdpo_trainer(tmp_path / "model", recorded, tmp_path, **sdpo_settings(policy, alpha, tail))
    agree([trl.step(theirs, recorded)], ours, ours.update().loss, EXACT)


@pytest.mark.parametrize(("alpha", "skip"), [(0.0, 0), (0.0, 3), (1.0, 2), (0.5, 1)])
@pytest.mark.parametrize("teacher", ["ema", "frozen"])
def test_sdft(trl: ModuleType, policy: Policy, tmp_path: Path, alpha: float, skip: int, teacher: str) -> None:
    """Two steps; the solution as privileged context, and a response that is skipped as a whole in the denominator."""
    options = {"alpha": alpha, "skip": skip, "teacher": teacher, "rate": 0.1, "top_k": 100}
    ours = RecordedStep(policy, "sdft", *(f"options.sdft.{k}={v}" for k, v in options.items()))
    recorded = ours.recorded(trl)
    solutions = [[y.demonstration for y in group.rollouts] for group in ours.learnt.groups]
    recorded = recorded._replace(feedback=solutions)
    template = "{prompt}" + WORDING.demonstration.replace("{demonstration}", "{privileged_context}") + WORDING.closing
    settings = {k: v for k, v in sdpo_settings(policy, alpha).items() if k.startswith("distillation_")}
    theirs = trl.sdft_trainer(
        tmp_path / "model", recorded, tmp_path, **settings, teacher_prompt_template=template,
        num_loss_tokens_to_skip=skip, teacher_update_rate=0.1, distillation_is_clip=None,
        teacher_model_kind={"frozen": "base"}.get(teacher, teacher),
    )  # fmt: skip
    assert len(ours.rows()) == sum(len(ids) > skip for ids in recorded.flat())
    for _ in range(2):
        agree([trl.step(theirs, recorded)], ours, ours.update().loss, EXACT)
        trl.move(theirs, moved)


def test_micro_batches_change_nothing(trl: ModuleType, policy: Policy, tmp_path: Path) -> None:
    """One rollout a micro-batch, as in SDPO's reference run, against coopt's micro-batches by tokens."""
    ours = RecordedStep(policy, "sdpo", "loss.batch_tokens=64")
    recorded = ours.recorded(trl)
    settings = sdpo_settings(policy) | {"gradient_accumulation_steps": 16}
    theirs = trl.sdpo_trainer(tmp_path / "model", recorded, tmp_path, **settings)
    agree([trl.step(theirs, recorded)], ours, ours.update().loss, EXACT)


PEERS_GRPO = {"loss_type": "grpo", "scale_rewards": "none", "epsilon": 0.2, "epsilon_high": 0.28}
"""The references' GRPO as TRL's settings, without the dual clip."""
FORMS = {
    "references": ((), PEERS_GRPO | {"delta": 3.0}),
    "classic": (
        ("options.grpo.std=true", "options.grpo.clip_high=0.2", "options.grpo.dual_clip=0", "options.grpo.kl=0.04"),
        {"loss_type": "grpo", "scale_rewards": "group", "beta": 0.04, "use_bias_correction_kl": False},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_grpo(trl: ModuleType, policy: Policy, tmp_path: Path, form: str) -> None:
    """Two updates on the same rollouts: in the second the policy is not the one that sampled, nor the reference."""
    ours_settings, settings = FORMS[form]
    ours = RecordedStep(policy, "grpo", *ours_settings)
    recorded = ours.recorded(trl)
    theirs = trl.grpo_trainer(tmp_path / "model", recorded, tmp_path, num_iterations=2, **settings)
    first = trl.step(theirs, recorded)
    trl.move(theirs, moved)
    second = trl.step(theirs, recorded)
    agree([first, second], ours, ours.update(2).loss, SINGLE)
    if form == "references":
        assert branches(ours.rows(), *ours.logprobs) == {"inside", "low", "high", "dual", "free"}


def branches(rows: Sequence[TrainRow], old: list[list[float]], new: list[list[float]]) -> set[str]:
    """Which cases of the clipped surrogate the tokens of an update fall into."""
    found = set()
    for row, *both in zip(rows, old, new, strict=True):
        for before, after in zip(*both, strict=True):
            ratio = float(np.exp(after - before))
            if row.advantage > 0:
                found.add("high" if ratio > 1.28 else "free" if ratio < 0.8 else "inside")
            else:
                found.add("dual" if ratio > 3 else "low" if ratio < 0.8 else "free" if ratio > 1.28 else "inside")
    return found


def test_grpo_on_rollouts_of_another_engine(trl: ModuleType, policy: Policy, tmp_path: Path) -> None:
    """Each token is weighted with min(p / p_engine, 2)."""
    ours = RecordedStep(policy, "grpo", "engine.importance_cap=2", foreign=True)
    recorded = ours.recorded(trl)
    truncated = {"vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_max": 2.0}
    theirs = trl.grpo_trainer(tmp_path / "model", recorded, tmp_path, **PEERS_GRPO, **truncated)
    stats = ours.update()
    agree([trl.step(theirs, recorded)], ours, stats.loss, SINGLE)
    assert 0 < stats.importance.capped < stats.importance.tokens


def test_grpo_in_two_updates_on_half_the_prompts_each(trl: ModuleType, policy: Policy, tmp_path: Path) -> None:
    """By the policy-gradient half of TRL's SDPO trainer, which leaves prompts in order; its GRPO trainer shuffles
    rollouts first. It divides advantages by 1 + 1e-4 where they are not to be scaled."""
    ours = RecordedStep(policy, "grpo", "options.grpo.updates=2", "options.grpo.dual_clip=0")
    recorded = ours.recorded(trl)
    settings = PEERS_GRPO | {"distillation_weight": 0.0, "steps_per_generation": 2}
    theirs = trl.sdpo_trainer(tmp_path / "model", recorded, tmp_path, **settings)
    first = trl.step(theirs, recorded)
    trl.move(theirs, moved)
    second = trl.step(theirs, recorded)
    agree([first, second], ours, ours.update().loss, SINGLE, scale=1.0001)
