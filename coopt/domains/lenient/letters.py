"""The option that a response chooses, in whatever form people's models write it.

What is read: what stands in an answer's tag or a ``\\boxed{}``; behind "the answer is", "Answer:", "I choose", 答案是,
选; before "is correct"; else the last line, or the first one, if it holds nothing but an option. Of several the last
counts. What is never read: what is denied or only supposed, two letters at once, a letter in a formula or in an
option's text, and the words "a" and "I".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from coopt.domains.lenient.said import LOOK, OPAQUE, TAG, folded, said, unstyled, with_boxes, without_math
from coopt.domains.lenient.tokens import (
    HEDGED,
    JUDGED,
    LEADS,
    NONE_OF_THEM,
    OPTION,
    TOKEN,
    in_formula,
    is_denied,
    is_option,
    is_taken_back,
    is_wrapped,
    marked,
    marks,
)

Options = tuple[tuple[str, str], ...]

_BULLET = re.compile(r"^[#>\-•\s]+")
_LISTED = re.compile(r"[#>\-•\s]*[(\[*_]*[A-Z][)\]*_]*(?:[.):]|\s*$)")
_DELIMITED = re.compile(r"\s*[.:)\]]|\s+[-–—]\s")
_ALONE = re.compile(r"(?<![A-Za-z])[A-Z](?![A-Za-z])")
_CLOSING = " .:;,!*_`)]}。"


class _Answer(NamedTuple):
    """``reading``: a letter, or that it is none of them. ``end``: where it ends in the text."""

    reading: str
    end: int


def letter_of(response: str, options: Options) -> str | None:
    """The label of the chosen option; None if none is chosen, or several."""
    found = _reader(options).read(said(response))
    return None if found == NONE_OF_THEM else found


@lru_cache(maxsize=4096)
def _reader(options: Options) -> _Reader:
    return _Reader(options)


class _Reader:
    def __init__(self, options: Options) -> None:
        self.labels = [label for label, _ in options]
        texts = [folded(text) for _, text in options]
        self.by_text = {t: k for t, k in zip(texts, self.labels, strict=True) if texts.count(t) == 1}
        # Whole options in which a letter could be read, the longest first.
        risky = [(" ".join(text.split()), n) for n, (_, text) in enumerate(options) if _is_risky(text)]
        self.masks = [(_phrase(text), chr(OPTION + n)) for text, n in sorted(risky, key=lambda r: -len(r[0]))]

    def read(self, text: str) -> str | None:
        """A label, ``NONE_OF_THEM``, or None: nothing is answered."""
        text = TAG.sub(lambda m: self._tag(m[1], closed=bool(m[2])), text).replace("</answer>", "\n")
        text = self._plain(text)
        return self._last(text) or self._line(text)

    # -- what stands for an answer by itself -------------------------------------------------------

    def _tag(self, content: str, *, closed: bool) -> str:
        """An answer, whatever it says; but one that breaks off unread is none."""
        reading = self._whole(content)
        if reading is None and not (closed and content.strip()):
            return " "
        return marked(reading or NONE_OF_THEM)

    def _box(self, content: str) -> str:
        reading = self._whole(content)
        return marked(reading) if reading else OPAQUE  # a number on the way to the answer

    def _whole(self, content: str) -> str | None:
        """The answer of a tag or a box."""
        words = folded(content)
        if words in self.by_text and words.upper() not in self.labels:
            return self.by_text[words]
        text = self._plain(content).strip()
        token = TOKEN.match(text)
        if token:
            rest, reading = text[token.end() :], self._reading(token)
            if not rest.strip(_CLOSING):
                return reading
            if HEDGED.match(rest):
                return NONE_OF_THEM
            delimited = not token["letter"] or ")" in token["close"] or _DELIMITED.match(rest)
            if delimited and self._by_text(rest) in (None, reading) and not is_taken_back(rest):
                return reading
        return self._last(text)

    def _plain(self, text: str) -> str:
        """Without anything in which a letter is no answer: options' texts, formulas. Boxes become marks."""
        for phrase, mark in self.masks:
            text = phrase.sub(mark, text)
        return without_math(unstyled(with_boxes(text, self._box)), in_formula)

    # -- statements --------------------------------------------------------------------------------

    def _last(self, text: str) -> str | None:
        found = list(self._statements(text))
        return max(found, key=lambda a: a.end).reading if found else None

    def _statements(self, text: str) -> Iterator[_Answer]:
        for mark in marks(text):
            if not is_denied(text, mark.start, mark.end):
                yield _Answer(mark.reading, mark.end)
        for lead in LEADS.finditer(text):
            answer = self._announced(text, lead.end(), after_colon=lead[0].rstrip(" *_").endswith(":"))
            if answer and not is_denied(text, lead.start(), answer.end):
                yield answer
        for judged in JUDGED.finditer(text):
            if judged["letter"] != "I" and not is_denied(text, judged.start(), judged.end()):
                yield _Answer(self._label(judged["letter"]), judged.end())

    def _announced(self, text: str, at: int, *, after_colon: bool) -> _Answer | None:
        """The answer that begins where it was announced."""
        token = TOKEN.match(text, at)
        if token and not token["letter"]:
            return _Answer(self._reading(token), token.end())
        line = text[at : at + LOOK].lstrip().partition("\n")[0]
        option = self._by_text(line)
        if option:
            return _Answer(option, at + len(line))
        if not token:
            return None
        rest = text[token.end() : token.end() + LOOK]
        if HEDGED.match(rest):
            return _Answer(NONE_OF_THEM, token.end())
        if not is_option(token, rest, after_colon=after_colon) or _opens_list(token["letter"], rest):
            return None
        return _Answer(self._reading(token), token.end())

    # -- lines -------------------------------------------------------------------------------------

    def _line(self, text: str) -> str | None:
        """Without a statement: a last or first line that is an option and not one of a list."""
        lines = [line for line in text.split("\n") if line.strip()]
        for at, beside in ((-1, lines[-2:-1]), (0, lines[1:2])):
            if lines and not (beside and _LISTED.match(beside[0])):
                reading = self._of_line(lines[at], alone=len(lines) == 1)
                if reading:
                    return reading
        return None

    def _of_line(self, line: str, *, alone: bool) -> str | None:
        line = _BULLET.sub("", line)
        token = TOKEN.match(line)
        if not token or not token["letter"]:
            return None
        rest, reading = line[token.end() :], self._reading(token)
        if not rest.strip(_CLOSING):
            clear = alone or is_wrapped(token) or (token["letter"].isupper() and token["letter"] != "I")
            return reading if clear else None
        delimited = ")" in token["close"] or re.match(r"[.:)\]]", rest)
        return reading if delimited and self._by_text(rest) == reading else None

    # -- readings ----------------------------------------------------------------------------------

    def _reading(self, token: re.Match[str]) -> str:
        if token["mark"]:
            return token["mark"]
        return self.labels[ord(token["text"]) - OPTION] if token["text"] else self._label(token["letter"])

    def _label(self, letter: str) -> str:
        return letter.upper() if letter.upper() in self.labels else self.by_text.get(letter.casefold(), NONE_OF_THEM)

    def _by_text(self, text: str) -> str | None:
        """The option whose text this is, or its first sentence."""
        text = text.strip(" .:)]*_")
        if text[:1] and 0 <= ord(text[0]) - OPTION < len(self.labels):
            return self.labels[ord(text[0]) - OPTION]
        for words in (folded(text), folded(re.split(r"[.;]\s", text, maxsplit=1)[0])):
            if len(words) > 1 and words in self.by_text:
                return self.by_text[words]
        return None


def _is_risky(text: str) -> bool:
    return len(folded(text)) > 1 and bool(_ALONE.search(text) or "$" in text or "\\" in text)


def _phrase(text: str) -> re.Pattern[str]:
    body = r"\s+".join(re.escape(w) for w in text.split())
    return re.compile(rf"(?<![^\W_]){body}(?![^\W_])", re.IGNORECASE)


def _opens_list(letter: str, rest: str) -> bool:
    """All options follow: "The options for the answer are: A: ... B: ..."."""
    following = chr(ord(letter.upper()) + 1)
    return bool(re.match(rf"[.):][^\n]*\n[\s(\[*_#>-]*{following}[)\]*_]*[.):]", rest))
