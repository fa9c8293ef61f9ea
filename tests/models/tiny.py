"""Real architectures made tiny from their configs: random weights, own tokenizers, the quirks of their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
"""As Gemma's first templates: a system message is refused."""
DROPS_SYSTEM = CHATML.replace("{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}")
OPENS_THOUGHT = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
STRIPS_THOUGHT = CHATML.replace("{{ m['content'] }}", "{{ m['content'].split('</think>')[-1] }}")
WITH_BOS = "{{ bos_token }}" + CHATML

_WORDS = """You answer multiple-choice science questions. Think first, then choose the one correct option. Write your
reasoning between <reasoning> and </reasoning>. Then write only the letter of the option between <answer> and </answer>
physics chemistry materials biology law medicine force energy mass A B C D E question attempt tutor concept"""
_SIZES: Mapping[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 4096, "initializer_range": 0.2,
}  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """One model. ``kind``: transformers' model type; ``config``: what differs from the common small sizes."""

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = CHATML
    pad: str | None = "<|pad|>"
    """None: the tokenizer has no pad token."""
    more_eos: tuple[str, ...] = ()
    """Further end tokens, in generation_config."""
    adds_bos: bool = False
    """The tokenizer itself puts one before every text."""
    special_answer: bool = False
    """``<answer>`` is one of the tokenizer's special tokens."""


MATRIX = (
    Tiny("llama", "llama", {"tie_word_embeddings": False}),
    Tiny("llama-bos", "llama", template=WITH_BOS, adds_bos=True, pad=None),
    Tiny("qwen2", "qwen2", {"tie_word_embeddings": True}),
    Tiny("qwen3", "qwen3", {"head_dim": 16}, template=STRIPS_THOUGHT),
    Tiny("qwen3-thinking", "qwen3", {"head_dim": 16}, template=OPENS_THOUGHT),
    Tiny("qwen3-moe", "qwen3_moe",
         {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}),
    Tiny("gemma3", "gemma3_text",
         {"head_dim": 16, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
         template=NO_SYSTEM + WITH_BOS, more_eos=("<|im_end|>",)),
    Tiny("gemma2-caps", "gemma2",
         {"head_dim": 16, "sliding_window": 8, "final_logit_softcapping": 5.0, "attn_logit_softcapping": 20.0},
         template=DROPS_SYSTEM),
    Tiny("phi3", "phi3", {"num_key_value_heads": 4}, more_eos=("<|im_end|>",)),
    Tiny("olmo2", "olmo2"),
    Tiny("olmo3", "olmo3", {"sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}),
    Tiny("mistral", "mistral", {"sliding_window": 8, "head_dim": 8}, pad="<|end|>"),
    Tiny("smollm3", "smollm3", {"head_dim": 8}),
    Tiny("gpt-neox", "gpt_neox", {"num_key_value_heads": None}),
    Tiny("gpt2", "gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 4096}),
    Tiny("falcon", "falcon", {"num_kv_heads": 2, "new_decoder_architecture": True, "alibi": False, "bias": False}),
    Tiny("falcon-mamba", "falcon_mamba", {"state_size": 4, "conv_kernel": 4, "expand": 2, "time_step_rank": 4}),
    Tiny("special-answer", "llama", special_answer=True),
    Tiny("granite-scales", "granite", {"logits_scaling": 4.0}),
)  # fmt: skip
BROKEN = (Tiny("no-template", "llama", template=None),)


def build(tiny: Tiny, directory: Path) -> Path:
    """Write the model's directory, as somebody would have it from a hub."""
    tokenizer = _tokenizer(tiny)
    wanted = {
        **_SIZES, "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, **tiny.config,
    }  # fmt: skip
    config = AutoConfig.for_model(tiny.kind, **{k: v for k, v in wanted.items() if v is not None or k in tiny.config})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    ends = [tokenizer.eos_token_id, *(tokenizer.convert_tokens_to_ids(t) for t in tiny.more_eos)]
    model.generation_config.eos_token_id = ends if tiny.more_eos else ends[0]
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def _tokenizer(tiny: Tiny) -> PreTrainedTokenizerFast:
    specials = ["<|begin|>", "<|end|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
    inner = Tokenizer.from_str(_trained((*specials, *(["<answer>", "</answer>"] if tiny.special_answer else []))))
    if tiny.adds_bos:
        inner.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", inner.token_to_id("<|begin|>"))]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<|begin|>", eos_token="<|end|>", pad_token=tiny.pad,
        additional_special_tokens=[*specials[2:4], *(["<answer>"] if tiny.special_answer else [])],
    )  # fmt: skip
    made.chat_template = tiny.template
    return made


@lru_cache
def _trained(specials: tuple[str, ...]) -> str:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(specials), initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator([_WORDS], trainer)
    return inner.to_str()


Builder = Callable[[Tiny], Path]
