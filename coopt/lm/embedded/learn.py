"""Supervised training of the embedded models: the base from scratch, that of the family from it, and specialists."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from coopt.core.temporary import importing_torch
from coopt.domains.scimini.facts import all_facts, common_knowledge
from coopt.domains.scimini.questions import NUMBERS
from coopt.domains.scimini.tasks import Lesson, TaskMix, TaskSampler
from coopt.domains.scimini.traits import drawn
from coopt.lm.bases import SCIMINI_BASE
from coopt.lm.embedded.tokenizer import build_tokenizer

with importing_torch():
    from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM


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
FAMILY_BASE = Schooling(steps=2400, batch=40, lr=1.5e-3, warmup=60)
FAMILY_MIX = TaskMix(
    solve=0.2, revise=0.45, critique=0.19, repair=0.03, explain=0.01, judge=0.03, align=0.05, critique_given=0.04
)
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


def train_family(
    seed: int = 0, schooling: Schooling = FAMILY_BASE, report: Callable[[int, float], None] | None = None
) -> tuple[Qwen3ForCausalLM, PreTrainedTokenizerBase]:
    """The base of the family of worlds: each lesson is of another member, whose headers its prompt has. It begins as
    the shipped base, which reads hints already."""
    tokenizer = build_tokenizer(family=True)
    model = new_model(tokenizer, seed)
    inherit(model, tokenizer, SCIMINI_BASE)
    rng = random.Random(f"scimini-family:{seed}")
    sampler = TaskSampler(rng, common_knowledge(), all_facts(), FAMILY_MIX)

    def draw() -> Lesson:
        sampler.traits = drawn(rng)
        return sampler.lesson()

    learn(model, tokenizer, draw, schooling, report)
    return model, tokenizer


def inherit(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    """Give ``model`` the weights of the one in ``directory``, which has the same sizes and fewer words. A word that is
    new begins as the same word after a blank, if there is such a one, else as it is."""
    told = Qwen3ForCausalLM.from_pretrained(directory, dtype=torch.float32).state_dict()
    ids = AutoTokenizer.from_pretrained(directory).get_vocab()
    found = {k: ids.get(word, ids.get(f"Ġ{word}")) for word, k in tokenizer.get_vocab().items()}
    pairs = torch.tensor([(k, there) for k, there in found.items() if there is not None])
    for name, own in model.state_dict().items():
        if own.shape == told[name].shape:
            own.copy_(told[name])
        else:  # a row for each word
            own[pairs[:, 0]] = told[name][pairs[:, 1]]


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
