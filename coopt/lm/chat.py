"""A model's chat template and tokenizer as they are: what it can be told, and what of its tokens is text.

Templates differ: some refuse a system message, some drop it without a word, some open a thought that the model is to
close. What a template does is found out once, by asking it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from coopt.core.errors import ModelError
from coopt.domains.thinking import CLOSES, OPENS
from coopt.domains.wording import TAGS, Wording
from coopt.lm.templates import render

_MARK = "coopt-asks-whether-this-is-shown"
Message = dict[str, str]


@dataclass(frozen=True)
class Chat:
    """The tokenizer of one model."""

    tokenizer: PreTrainedTokenizerBase

    def prompt_ids(self, wording: Wording, user: str, *, system: bool, example: bool) -> list[int]:
        """Token ids of system message, (a worked example,) user message and the assistant's header. Where the template
        has no room for a system message, it stands before the first user message. ``enable_thinking=False`` where that
        exists. Raises ``ModelError``."""
        messages = [{"role": "user", "content": self._without_control_tokens(user)}]
        if example and wording.example:
            shown = zip(("user", "assistant"), wording.example, strict=True)
            messages = [*({"role": r, "content": c} for r, c in shown), *messages]
        if system and wording.system:
            told = self._without_control_tokens(wording.system)
            if self.shows_system:
                messages.insert(0, {"role": "system", "content": told})
            else:
                messages[0] = messages[0] | {"content": f"{told}\n\n{messages[0]['content']}"}
        try:
            text = self._render(messages)
        except TemplateError as error:
            raise ModelError(f"the model's chat template refuses the prompt: {error}") from None
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def text_ids(self, text: str) -> list[int]:
        """Token ids of a text of somebody's, without control tokens."""
        return list(self.tokenizer(self._without_control_tokens(text), add_special_tokens=False)["input_ids"])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens without control tokens. A tag of the answers' format is text, also where the tokenizer
        calls it special."""
        if not self._special_tags:
            return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))
        control = set(self.tokenizer.all_special_ids) - self._special_tags
        return str(self.tokenizer.decode([i for i in ids if i not in control], skip_special_tokens=False))

    def response(self, ids: Sequence[int]) -> str:
        """The text of a response: with the opening tag of a thought that the template has opened for it."""
        return self.opened + self.decode(ids)

    @cached_property
    def shows_system(self) -> bool:
        """Whether a system message reaches the model."""
        try:
            return _MARK in self._render([{"role": "system", "content": _MARK}, {"role": "user", "content": "?"}])
        except TemplateError:
            return False

    @cached_property
    def opened(self) -> str:
        """The tag of a thought that the assistant's header leaves open; empty if it leaves none."""
        try:
            header = self._render([{"role": "user", "content": "?"}]).rpartition("?")[2]
        except TemplateError as error:
            raise ModelError(f"the model's chat template refuses a question: {error}") from None
        return OPENS if header.rfind(OPENS) > header.rfind(CLOSES) else ""

    @cached_property
    def _special_tags(self) -> frozenset[int]:
        known = self.tokenizer.added_tokens_decoder.items()
        return frozenset(i for i, token in known if token.special and token.content.strip() in TAGS)

    def _render(self, messages: Sequence[Message]) -> str:
        return render(self.tokenizer, messages, enable_thinking=False)

    def _without_control_tokens(self, text: str) -> str:
        """Model text is untrusted: what it spells must not become a turn of the chat."""
        for token in self.tokenizer.added_tokens_decoder.values():
            if token.special and token.content.strip() not in TAGS:
                text = text.replace(token.content, " ")
        return text
