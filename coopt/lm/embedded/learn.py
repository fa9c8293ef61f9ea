"""Supervised training of the embedded models: the base from scratch, and specialists from the base."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from coopt.domains.scimini.facts import all_facts, common_knowledge
from coopt.domains.scimini.questions import NUMBERS
from coopt.domains.scimini.tasks import Lesson, TaskSampler
from coopt.lm.embedded.tokenizer import build_tokenizer


@dataclass(frozen=True, kw_only=True)
class Schooling:
    """Settings of a supervised run. ``floor``: the cosine schedule ends at this share of ``lr``."""

    steps: int
    batch: int
    lr: float
    warmup: int
    floor: float = 0.05
    structure_weight: float = 0.5
    """Loss weight of the tokens that are not values: values carry the facts, the rest is form."""


BASE = Schooling(steps=3600, batch=64, lr=2e-3, warmup=60)
SPECIALIST = Schooling(steps=130, batch=48, lr=1e-3, warmup=5)


def new_model(tokenizer: PreTrainedTokenizerBase, seed: int) -> Qwen3ForCausalLM:
    """An untrained Qwen3 of about 0.67 million parameters."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        intermediate_size=384,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)


def train_base(
    seed: int = 0, schooling: Schooling = BASE, report: Callable[[int, float], None] | None = None
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerBase]:
    """The shipped base: half of every domain's facts, and every role. Returns model and tokenizer."""
    tokenizer = build_tokenizer()
    model = new_model(tokenizer, seed)
    sampler = TaskSampler(random.Random(f"scimini-base:{seed}"), common_knowledge(), all_facts())
    learn(model, tokenizer, lambda: sampler.lesson(), schooling, report)
    return model, tokenizer


def learn(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    draw: Callable[[], Lesson],
    schooling: Schooling,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Weighted next-token training on lessons; AdamW, warm-up, cosine."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=schooling.lr, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: _multiplier(k, schooling))
    encode = LessonEncoder(tokenizer, schooling.structure_weight)
    device = next(model.parameters()).device
    model.train()
    for step in range(schooling.steps):
        optimizer.zero_grad(set_to_none=True)
        halves = encode([draw() for _ in range(schooling.batch)])
        total = sum(weights.sum() for *_, weights in halves)
        loss = 0.0
        for half in halves:
            ids, mask, targets, weights = (tensor.to(device) for tensor in half)
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
            nll = F.cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten(), reduction="none")
            part = (nll * weights[:, 1:].flatten()).sum() / total
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if report is not None:
            report(step + 1, loss)
    model.eval()


def _multiplier(step: int, schooling: Schooling) -> float:
    if step < schooling.warmup:
        return (step + 1) / schooling.warmup
    done = (step - schooling.warmup) / max(1, schooling.steps - schooling.warmup)
    cosine = 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))
    return schooling.floor + (1 - schooling.floor) * cosine


class LessonEncoder:
    """Lessons to padded tensors [batch, time]: ids, attention mask, targets, loss weights.

    The shorter and the longer half are padded apart: a prompt with s and f is three times as long as a question.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, structure_weight: float) -> None:
        self.tokenizer = tokenizer
        self.structure_weight = structure_weight
        self.values = frozenset(tokenizer.convert_tokens_to_ids(f"Ġ{n}") for n in NUMBERS)

    def __call__(self, lessons: list[Lesson]) -> list[tuple[torch.Tensor, ...]]:
        rows = sorted((self._row(lesson) for lesson in lessons), key=lambda row: len(row[0]))
        middle = len(rows) // 2
        return [self._padded(half) for half in (rows[:middle], rows[middle:]) if half]

    def _padded(self, rows: list[tuple[list[int], list[int], list[float]]]) -> tuple[torch.Tensor, ...]:
        width = max(len(r[0]) for r in rows)
        pad = self.tokenizer.pad_token_id
        padded = [
            (
                ids + [pad] * (width - len(ids)),
                [1] * len(ids) + [0] * (width - len(ids)),
                targets + [pad] * (width - len(ids)),
                weights + [0.0] * (width - len(ids)),
            )
            for ids, targets, weights in rows
        ]
        return tuple(torch.tensor(column) for column in zip(*padded, strict=True))

    def _row(self, lesson: Lesson) -> tuple[list[int], list[int], list[float]]:
        user = [{"role": "user", "content": lesson.prompt}]
        text = self.tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True)
        prompt = self.tokenizer(text)["input_ids"]
        reads = self.tokenizer(lesson.reads)["input_ids"] + [self.tokenizer.eos_token_id]
        predicts = self.tokenizer(lesson.predicts)["input_ids"] + [self.tokenizer.eos_token_id]
        if len(reads) != len(predicts):
            raise ValueError(f"a lesson's two texts differ in length: {lesson}")
        weights = [1.0 if t in self.values else self.structure_weight for t in predicts]
        return prompt + reads, prompt + predicts, [0.0] * len(prompt) + weights
