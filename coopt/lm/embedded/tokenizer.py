"""The tokenizer of the embedded models: one token a word of the world, bytes for everything else.

A byte-level BPE without merges whose vocabulary holds the 256 bytes and the world's words
(``ignore_merges`` takes a whole word when the vocabulary has it), so that any text round-trips.
"""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from coopt.domains.scimini import wording
from coopt.domains.scimini.facts import RELATIONS
from coopt.domains.scimini.questions import NUMBERS, STEPS
from coopt.domains.scimini.traits import CANDOUR, DEFERENCE, HEADERS

END, PAD, USER, ASSISTANT, SYSTEM = "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>"
TAGS = ("<answer>", "</answer>", "<concept>", "</concept>")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def _words(family: bool) -> list[str]:
    """Words with and without the leading blank that pre-tokenisation attaches to them."""
    relations = sorted({r.name for r in RELATIONS})
    entities = sorted({e for r in RELATIONS for e in r.values})
    steps = [s.name for s in STEPS.values()]
    inner = [*relations, *steps, *entities, *map(str, NUMBERS), "of", "and", "yes", "not", "no"]
    first = [*relations, *steps, *wording.WORDS]
    words = [f"Ġ{w}" for w in [*inner, *wording.WORDS]] + first
    return [*words, *HEADERS, *(f"Ġ{n}" for n in (*DEFERENCE, *CANDOUR)), *entities] if family else words


def build_tokenizer(family: bool = False) -> PreTrainedTokenizerFast:
    """The tokenizer, made from the world's word lists alone. ``family``: with the headers of the family of worlds, and
    things as the first word of a text."""
    vocab: dict[str, int] = {}
    for piece in [*sorted(pre_tokenizers.ByteLevel.alphabet()), *_words(family)]:
        vocab.setdefault(piece, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in (PAD, END, USER, ASSISTANT, SYSTEM)])
    tokenizer.add_tokens([AddedToken(t, normalized=False, special=False) for t in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
