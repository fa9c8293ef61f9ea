"""The one-process trainer: student forward, teacher forward, divergence, backward, AdamW, EMA."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional as F

from coopt.config.schema import Config, OptimizerConfig
from coopt.errors import TrainingError
from coopt.models.policy import Policy, save_policy
from coopt.training import checkpoint
from coopt.training.base import StepStats, TrainRow
from coopt.training.batch import PromptResponse, by_tokens, model_input, response_hidden
from coopt.training.importance import importance_weights
from coopt.training.losses import Divergence, TokenLoss
from coopt.training.recompute import recompute_activations
from coopt.training.teacher import Teacher


class LocalTrainer:
    """Trainer on one device. The loss is the mean over all rollouts of the step of
    (1/|y|) sum_t D(student_t || teacher_t); rollouts without a target count in the mean and are never run."""

    def __init__(self, policy: Policy, config: Config, objective: TokenLoss | None = None) -> None:
        self.policy = policy
        self.config = config
        self.objective = objective or Divergence(config.loss.alpha, config.loss.top_k, config.loss.tail)
        self.decoder, self.teacher = self._place()
        if config.parallel.activation_checkpointing:
            recompute_activations(policy)
        self.optimizer = make_optimizer(policy, config.optimizer)
        self.step = 0

    def update(self, rows: Sequence[TrainRow], rollouts: int) -> StepStats:
        """Raises ``TrainingError`` before the update if loss or gradient is not finite."""
        students = merge(rows, rollouts)
        stats = StepStats(lr=self.config.optimizer.lr * self._warmup(), active_rows=len(rows))
        stats.distinct_rows = sum(len(s.teachers) for s in students)
        stats.trained_tokens = sum(len(s.response) for s in students)
        self.optimizer.zero_grad(set_to_none=True)
        for batch in self._micro_batches(students):
            self._accumulate(batch, stats)
        self._total(stats)
        if not math.isfinite(stats.loss):
            raise TrainingError(
                f"step {self.step + 1}: the loss is {stats.loss}. The weights were not changed."
                " Lower optimizer.lr, or start again from the last checkpoint with another --seed."
            )
        self._apply(stats)
        return stats

    def _place(self) -> tuple[torch.nn.Module, Teacher]:
        """Where the weights live: the module that gives hidden states, and the teacher."""
        teacher = Teacher(self.policy, self.config.teacher.kind, self.config.teacher.rate)
        return self.policy.causal_lm.get_decoder(), teacher

    def serving(self) -> Policy:
        return self.policy

    def publish(self, directory: Path) -> None:
        save_policy(self.policy, directory)

    def save(self, directory: Path, *, background: bool = False) -> None:
        checkpoint.save_checkpoint(self, directory)

    def load(self, directory: Path, *, optimizer: bool = True) -> None:
        checkpoint.load_checkpoint(self, directory, optimizer=optimizer)

    def settle(self) -> None:
        """Nothing is written in the background here."""

    def _total(self, stats: StepStats) -> None:
        """Add what other processes found of the step's loss and importance weights: there are none."""

    def _now(self) -> float:
        """Seconds; on a GPU after what was queued has been done, so that each part pays for itself."""
        if self.policy.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def _warmup(self) -> float:
        """Linear from 0 at the first step (as in SDPO's code), then 1."""
        warmup = self.config.optimizer.warmup
        return min(self.step / warmup, 1.0) if warmup else 1.0

    def _micro_batches(self, students: list[StudentRow]) -> list[list[StudentRow]]:
        lengths = [max(len(t) for t, _ in s.teachers) + len(s.response) for s in students]
        return list(by_tokens(students, lengths, self.config.loss.batch_tokens))

    def _accumulate(self, batch: list[StudentRow], stats: StepStats) -> None:
        """Forward and backward of a micro-batch; gradients add up in the parameters."""
        start = self._now()
        teacher_Nd, student_index, weights = self._teacher_side(batch)
        stats.seconds["teacher"] += self._now() - start
        start = self._now()
        lm = self.policy.causal_lm
        head = lm.get_output_embeddings()
        hidden_Sd = self._hidden([(s.prompt, s.response) for s in batch])
        leaf_Sd = hidden_Sd.detach().requires_grad_()
        drawn = self._drawn(batch)
        teacher_head = self.teacher.head(head)
        chunk_tokens = max(1, self.config.loss.chunk_logits // lm.config.get_text_config().vocab_size)
        for chunk in torch.arange(len(teacher_Nd), device=leaf_Sd.device).split(chunk_tokens):
            student_NV = logits32(head, leaf_Sd[student_index[chunk]])
            with torch.no_grad():
                teacher_NV = logits32(head, teacher_Nd[chunk], teacher_head)
            terms = self.objective(student_NV, teacher_NV) * weights[chunk]
            if drawn is not None:
                tokens, logprobs = (x[student_index[chunk]] for x in drawn)
                cap = self.config.engine.importance_cap
                terms = terms * importance_weights(student_NV, tokens, logprobs, cap, stats.importance)
            loss = terms.sum()
            loss.backward()
            stats.loss += loss.item()
        hidden_Sd.backward(leaf_Sd.grad)
        stats.seconds["student"] += self._now() - start

    def _teacher_side(self, batch: list[StudentRow]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Teacher's hidden states [N, d], the student token that each belongs to [N], and weights [N]."""
        sequences: list[PromptResponse] = []
        index: list[int] = []
        weights: list[float] = []
        offset = 0
        for student in batch:
            length = len(student.response)
            for prompt, weight in student.teachers:
                sequences.append((prompt, student.response))
                index += range(offset, offset + length)
                weights += [weight / length] * length
            offset += length
        with self.teacher.active():
            hidden = self._hidden(sequences)
        device, wide = hidden.device, torch.promote_types(hidden.dtype, torch.float32)
        return hidden, torch.tensor(index, device=device), torch.tensor(weights, device=device, dtype=wide)

    def _drawn(self, batch: list[StudentRow]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """The students' tokens [S] and the engine's log-probs of them; None if the engine is this very model."""
        if not all(s.logprobs for s in batch):
            return None
        tokens = torch.tensor([t for s in batch for t in s.response], device=self.policy.device)
        logprobs = [x for s in batch for x in s.logprobs]
        return tokens, torch.tensor(logprobs, dtype=torch.float64, device=self.policy.device)

    def _hidden(self, sequences: list[PromptResponse]) -> torch.Tensor:
        pad = self.policy.tokenizer.pad_token_id
        inputs = model_input(sequences, self.config.loss.packed, pad, self.policy.device)
        with self.policy.autocast():
            return response_hidden(self.decoder, inputs)

    def _apply(self, stats: StepStats) -> None:
        start = self._now()
        norm = self._clip()
        if not torch.isfinite(norm):
            raise TrainingError(f"step {self.step + 1}: the gradient is not finite. The weights were not changed.")
        for group in self.optimizer.param_groups:
            group["lr"] = stats.lr
        self.optimizer.step()
        self.teacher.update()
        self.step += 1
        stats.grad_norm = norm.item()
        stats.seconds["student"] += self._now() - start

    def _clip(self) -> torch.Tensor:
        """Clip the gradients; their norm before that."""
        return torch.nn.utils.clip_grad_norm_(self.policy.trainable().values(), self.config.optimizer.clip)


class StudentRow(NamedTuple):
    """A distinct (prompt, response) with its distinct teacher prompts and their weights."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    teachers: list[tuple[tuple[int, ...], float]]
    logprobs: tuple[float, ...] = ()


def merge(rows: Sequence[TrainRow], rollouts: int) -> list[StudentRow]:
    """Identical rows computed once, with their number as weight: exact, because the loss is a sum. Log-probs of equal
    tokens differ by an engine's rounding only: the first row's stand for all."""
    logprobs: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, ...]] = {}
    counts: dict[tuple[tuple[int, ...], tuple[int, ...]], dict[tuple[int, ...], int]] = defaultdict(dict)
    for row in rows:
        logprobs.setdefault((row.student_prompt, row.response), row.logprobs)
        teachers = counts[row.student_prompt, row.response]
        teachers[row.teacher_prompt] = teachers.get(row.teacher_prompt, 0) + 1
    return [
        StudentRow(prompt, response, [(t, n / rollouts) for t, n in teachers.items()], logprobs[prompt, response])
        for (prompt, response), teachers in counts.items()
    ]


def logits32(
    head: torch.nn.Module, hidden: torch.Tensor, weights: dict[str, torch.Tensor] | None = None
) -> torch.Tensor:
    """Logits in float32 or better, computed by a float32 product: rounding logits to bfloat16 would
    ruin the gradient where teacher and student are close."""
    parameters = dict(head.named_parameters()) | (weights or {})
    bias = parameters.get("bias")
    wide = torch.promote_types(hidden.dtype, torch.float32)
    weight = parameters["weight"].to(wide)
    return F.linear(hidden.to(wide), weight, None if bias is None else bias.to(wide))


def make_optimizer(policy: Policy, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the trained parameters; the learning rate is set at every step."""
    return torch.optim.AdamW(
        policy.trainable().values(),
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        weight_decay=config.weight_decay,
    )
