"""An untrained Qwen3 over 2,000 words, and questions about nothing: a step costs the same whatever is learnt.

One word is one token and any text of words round-trips, so that both trainers read, write and reprompt equal lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from coopt.core.config.schema import Extraction
from coopt.core.rng import generator
from coopt.domains.base import AnswerKind, Item, Reading, Split
from coopt.domains.scimini.wording import SCIMINI
from coopt.domains.wording import Wording

VOCABULARY, PROMPTS, PROMPT_WORDS = 2000, 24, 32
NAME = "words"
END, PAD, USER, ASSISTANT = "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' <|assistant|>' }}{% endif %}"
)
WORDING = replace(SCIMINI, system="")
FIXED = f"{WORDING.demonstration} {WORDING.closing}".replace("{demonstration}", "").split()
"""The words that a reprompt adds to question and demonstration."""


def write_model(directory: Path) -> Path:
    """Weights and tokenizer, as Hugging Face loads them. Returns ``directory``."""
    tokenizer = build_tokenizer()
    config = Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=128, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
        head_dim=32, intermediate_size=384, max_position_embeddings=512, tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Qwen3ForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def build_tokenizer(vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    special = [END, PAD, USER, ASSISTANT]
    words = [*special, *FIXED, *(f"w{k}" for k in range(vocabulary - len(special) - len(FIXED)))]
    tokenizer = Tokenizer(models.WordLevel({w: k for k, w in enumerate(words)}, unk_token=PAD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=TEMPLATE, padding_side="left"
    )


def right(text: str) -> float:
    """The reward of both sides, which about half of all texts get: an even number of letters and digits."""
    return float(len(text.replace(" ", "")) % 2 == 0)


@dataclass(frozen=True)
class Words:
    """The domain: as many questions as a step has prompts, so that every step has the same."""

    name: str = NAME
    answer: AnswerKind = "text"
    extraction: Extraction = "sdpo"
    wording: Wording = WORDING

    @cached_property
    def questions(self) -> list[str]:
        draws = generator(NAME).integers(1000, size=(PROMPTS, PROMPT_WORDS))
        return [" ".join(f"w{k}" for k in row) for row in draws]

    @property
    def rows(self) -> Sequence[Item]:
        return self.items("train")

    def items(self, split: Split) -> Sequence[Item]:
        return [
            Item(id=str(k), domain=NAME, stem=q, options=(), key="", prompt=q, answer="")
            for k, q in enumerate(self.questions)
        ]

    def read(self, response: str, item: Item) -> Reading:
        return Reading(response, response, True, bool(right(response)))

    def score(self, response: str, item: Item) -> float:
        return right(response)

    def constant(self, split: Split) -> tuple[str, float]:
        return "", 0.0
