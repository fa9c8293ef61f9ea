"""TRL's whole SDPO step: its generation, reward call, reprompts, teacher, student, optimizer and EMA."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback

from benchmarks.perf.untrained import PROMPTS, WORDING, Words, right
from coopt.core.config.schema import Config

_hidden = sys.modules.setdefault("vllm", None) is None  # type: ignore[arg-type]
from trl.experimental.sdpo import SDPOConfig, SDPOTrainer  # noqa: E402  it would import vLLM where that is installed

if _hidden:
    del sys.modules["vllm"]


class Clock(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Of the last optimizer step: its seconds, those of its rollouts with rewards and reprompts, the mean length of a
    rollout and the share that has a demonstration."""

    step = rollout = length = active = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self._start = time.perf_counter()

    def on_generation_batch_built(self, **_: Any) -> None:
        """TRL's own event."""
        self.rollout = time.perf_counter() - self._start

    def on_self_distillation_batch_prepared(
        self, completion_ids: torch.Tensor, self_distillation_mask: torch.Tensor, processing_class: Any, **_: Any
    ) -> None:
        """TRL's own event, too."""
        written = completion_ids != processing_class.pad_token_id
        self.length = written.sum().item() / len(written)
        self.active = self_distillation_mask.mean().item()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.step = time.perf_counter() - self._start


class TRLStep:
    """The trainer on the model in ``directory`` with ``config``'s sampling, loss, teacher and optimizer."""

    def __init__(self, directory: Path, config: Config, micro_batches: int) -> None:
        rows = PROMPTS * config.rounds.rollouts
        self.micro_batches = micro_batches
        self.clock = Clock()
        settings = SDPOConfig(
            output_dir=str(directory / "trl"),
            max_steps=1,
            per_device_train_batch_size=rows // micro_batches,
            gradient_accumulation_steps=micro_batches,
            num_generations=config.rounds.rollouts,
            max_completion_length=config.sampling.max_response_tokens,
            temperature=config.sampling.temperature,
            distillation_mode="full_logits",
            distillation_alpha=config.loss.alpha,
            success_reward_threshold=0.5,
            teacher_model_kind=config.teacher.kind,
            teacher_update_rate=config.teacher.rate,
            reprompt_template="{prompt}{solution}{feedback}" + WORDING.closing,
            solution_template=WORDING.demonstration.replace("{demonstration}", "{successful_previous_attempt}"),
            learning_rate=config.optimizer.lr,
            adam_epsilon=config.optimizer.eps,
            weight_decay=config.optimizer.weight_decay,
            max_grad_norm=config.optimizer.clip,
            lr_scheduler_type="constant",
            use_cpu=config.run.device == "cpu",
            bf16=False,  # TRL's default is mixed precision
            gradient_checkpointing=False,
            shuffle_dataset=False,
            save_strategy="no",
            report_to="none",
            logging_strategy="no",
            disable_tqdm=True,
        )
        with mock.patch.dict(os.environ, {"CI": "1"}):  # TRL counts its users over the network, except in CI
            self.trainer = SDPOTrainer(
                model=AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32),
                reward_funcs=_reward,
                args=settings,
                train_dataset=Dataset.from_list(
                    [{"prompt": [{"role": "user", "content": q}]} for q in Words().questions]
                ),
                processing_class=AutoTokenizer.from_pretrained(directory),
            )
        self.trainer.remove_callback(PrinterCallback)
        self.trainer.add_callback(self.clock)  # after TRL's own, whose end of a step moves the teacher

    def __call__(self) -> float:
        """Seconds of one more step; what ``train`` does around it is not counted."""
        self.trainer.train()
        return self.clock.step


def _reward(completions: list[list[dict[str, str]]], **_: Any) -> list[float]:
    return [right(chat[0]["content"]) for chat in completions]
