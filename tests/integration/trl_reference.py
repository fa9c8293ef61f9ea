"""TRL's own SDPO, SDFT and GRPO trainers on recorded rollouts. Only the sampling of text is replaced.

Their code tokenises prompts, builds masks, chooses demonstrations, writes the teachers' prompts, and computes
advantages, losses and gradients. TRL is a test-only dependency (extra ``peers``, installed by ``make test-heavy``):
tests import this module inside a fixture, so that they can be collected without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

_hidden = sys.modules.setdefault("vllm", None) is None  # type: ignore[arg-type]
from trl import GRPOConfig, GRPOTrainer  # noqa: E402  it would import vLLM, which has a process of its own here
from trl.experimental.sdft import SDFTConfig, SDFTTrainer  # noqa: E402
from trl.experimental.sdpo import SDPOConfig, SDPOTrainer  # noqa: E402

if _hidden:
    del sys.modules["vllm"]

Trainer = SDPOTrainer | SDFTTrainer | GRPOTrainer
Move = Callable[[str, torch.Tensor], torch.Tensor]
"""Name and weights of a parameter -> its next weights."""


class Recorded(NamedTuple):
    """A step's rollouts: [prompts], then [prompts][n]."""

    messages: list[list[dict[str, str]]]
    """The chat that each prompt is."""
    completions: list[list[tuple[int, ...]]]
    """Token ids, with the end token where one was written."""
    rewards: list[list[float]]
    feedback: list[list[str | None]]
    logprobs: list[list[tuple[float, ...]]]
    """The engine's, of the tokens; empty ones if it is the trainer's own model."""

    def rows(self) -> list[dict[str, Any]]:
        """TRL's rows, one a rollout."""
        return [
            {"prompt": chat, "reward": reward, "privileged_context": told}
            for chat, rewards, feedback in zip(self.messages, self.rewards, self.feedback, strict=True)
            for reward, told in zip(rewards, feedback, strict=True)
        ]

    def flat(self) -> list[list[int]]:
        return [list(ids) for group in self.completions for ids in group]


class Computed(NamedTuple):
    """Loss and gradients [parameter] of an optimizer step, and TRL's batches of it, one a micro-batch."""

    loss: float
    gradients: dict[str, torch.Tensor]
    batches: list[dict[str, Any]]


def sdpo_trainer(model: Path, recorded: Recorded, scratch: Path, **settings: Any) -> SDPOTrainer:
    """SDPO's trainer in float64, and its teacher, loaded from ``model`` too. ``settings``: fields of ``SDPOConfig``."""
    trainer = _make(SDPOTrainer, SDPOConfig, model, recorded, scratch, settings)
    trainer._generate = lambda prompt_ids: (prompt_ids, recorded.flat())
    return trainer


def sdft_trainer(model: Path, recorded: Recorded, scratch: Path, **settings: Any) -> SDFTTrainer:
    """SDFT's trainer in float64; what it shows its teacher is each rollout's feedback. ``settings``: fields of
    ``SDFTConfig``."""
    trainer = _make(SDFTTrainer, SDFTConfig, model, recorded, scratch, settings)
    trainer._generate = lambda prompt_ids: (prompt_ids, recorded.flat())
    return trainer


def grpo_trainer(model: Path, recorded: Recorded, scratch: Path, **settings: Any) -> GRPOTrainer:
    """GRPO's trainer in float64, but for log-probs and the output head's gradient: its kernel has them in float32.
    ``settings``: fields of ``GRPOConfig``. It loads its reference policy from ``model`` too."""
    trainer = _make(GRPOTrainer, GRPOConfig, model, recorded, scratch, settings)
    logprobs = [list(values) for group in recorded.logprobs for values in group]
    trainer.use_vllm = all(logprobs)  # nothing but the correction for its log-probs depends on it from here on
    trainer._generate_single_turn = lambda *prompts: (recorded.flat(), logprobs if trainer.use_vllm else None)
    return trainer


def step(trainer: Trainer, recorded: Recorded) -> Computed:
    """Loss and gradients of one optimizer step by TRL's ``training_step``. The weights stay as they are."""
    batches: list[dict[str, Any]] = []
    prepare = type(trainer)._prepare_inputs

    def noted(rows: Any) -> Any:
        batches.append(prepare(trainer, rows))
        return batches[-1]

    trainer._prepare_inputs = noted
    trainer.model.train()
    trainer.model.zero_grad()
    n = trainer.current_gradient_accumulation_steps = trainer.args.gradient_accumulation_steps  # as its loop sets it
    loss = sum(trainer.training_step(trainer.model, recorded.rows(), None).item() for _ in range(n))
    return Computed(loss, {name: p.grad.clone() for name, p in trainer.model.named_parameters()}, batches)


def move(trainer: Trainer, to: Move) -> None:
    """Give the student other weights, and let TRL's callbacks know that a step has ended (an EMA teacher follows)."""
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            parameter.copy_(to(name, parameter))
    trainer.state.global_step += 1
    trainer.callback_handler.on_step_end(trainer.args, trainer.state, trainer.control)


def _make(kind: Any, config: Any, model: Path, recorded: Recorded, scratch: Path, settings: dict[str, Any]) -> Any:
    rewarded = {} if kind is SDFTTrainer else {"reward_funcs": lambda reward, **_: reward}
    batches = settings.get("steps_per_generation", settings.get("gradient_accumulation_steps", 1))
    with mock.patch.dict(os.environ, {"CI": "1"}):  # TRL counts its users over the network, except in CI
        return kind(
            model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float64),
            **rewarded,
            args=config(
                output_dir=str(scratch),
                per_device_train_batch_size=len(recorded.flat()) // batches,
                num_generations=len(recorded.completions[0]),
                use_cpu=True,
                bf16=False,  # TRL's default is mixed precision
                gradient_checkpointing=False,
                report_to="none",
                disable_tqdm=True,
                chat_template_kwargs={"enable_thinking": False},
                **settings,
            ),
            train_dataset=Dataset.from_list(recorded.rows()),
            processing_class=AutoTokenizer.from_pretrained(model),
        )
