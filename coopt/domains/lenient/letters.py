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

from coopt.domains.announced import LEAD, LINK, NOUN
from coopt.domains.lenient.said import OPAQUE, TAG, folded, said, unstyled, with_boxes, without_math

Options = tuple[tuple[str, str], ...]
_NONE_OF_THEM = "?"  # an answer is given, and it is no single option

_MARKED = "\ue200{}\ue201"
_MARK = re.compile("\ue200([A-Z?])\ue201")
_OPTION = 0xE000  # and the option's number: a character that stands for its text
_AROUND = r"[(\[{\"'“‘*_`]"
_TOKEN = re.compile(
    rf"(?P<before>(?:\s|{_AROUND})*)(?:(?i:option|choice|letter|answer)\s+)?(?P<open>{_AROUND}*)"
    rf"(?:\ue200(?P<mark>[A-Z?])\ue201|(?P<letter>[A-Za-z])(?P<close>[)\]}}\"'”’*_`]*)"
    rf"(?![^\W\u3000-\u9fff])(?!['’^=+/\\<>~\u2212-])(?!\s*[=+×÷·^<>≈∝]|\s*\*\s*\w)"
    rf"|(?P<text>[\ue000-\ue019]))"
)
_OTHER = r"(?:(?i:option)\s+)?[(\[*_\"']*[A-Z][)\]*_\"']*(?![^\W\u3000-\u9fff])"
_HEDGE = re.compile(
    rf"\s*(?:/|&|\b(?:or|and|und|and/or)\b|或|和|、)\s*{_OTHER}|\s*[,、]\s*{_OTHER}(?=\s*(?:[.,;)\]*\n]|and|or|&|或|和|$))"
)
_SPOKEN = re.compile(
    r"\s*(?:$|[.,;:!\n。,、)]|[–—(\ue000-\ue019]|-\s|(?:because|since|as|due|is|was|for|which|where|by)\b)"
)
_ENDED = re.compile(r"[ \t]*(?:[.,;!。]|\n|$)")
_STOPPED = re.compile(r"[ \t]*(?:[.;!。]|\n)")
_TAKEN_BACK = re.compile(
    r"\s*\?|\s*(?:is|was|are|seems)(?:\s*(?:not|n['’]t)\b|\s+(?:wrong|incorrect|false)\b)|\s*\((?:wrong|incorrect)"
    r"|\s*(?:选项)?是?(?:错|不)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|hardly|if|unless|whether|suppose|supposing|assume|assuming|than|instead"
    r"|except)\b|n['’]t\b|\b(?:wrong|incorrect|false)\s+(?:that|to)\b|[不未没]|如果|是否",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!?;:,\n。,;]|\b(?:so|therefore|thus|hence|but|because|then)\b", re.IGNORECASE)
_ABOUT = r"(?:\s+(?:to|for|among|from|here)\b[^.\n:]{0,60}?)?"
_LEADS = re.compile(
    rf"(?i:{LEAD}{_ABOUT})(?i:{LINK})"
    r"|\b(?i:I|we|let['’]s|let\s+us)(?:['’](?:d|ll)|\s+(?:would|will|shall|must|should|am\s+going\s+to))?\s+"
    r"(?i:choose|pick|select|go\s+with|vote\s+for|opt\s+for|answer(?:\s+with)?)(?i:\s+(?:the\s+)?(?:option|choice|answer|letter))?\b"
    r"|答案(?:应该|应当|应)?(?:是|为|选|:)?|正确(?:的)?选项(?:应该|应当|应)?(?:是|为|:)|(?<![不未没能])(?<!不[应该能可])选(?:择)?(?!项):?"
)
_JUDGED = re.compile(
    r"(?:^|(?<=[.!?;:,\n。])|\b(?i:option|choice|answer|letter|so|thus|hence|therefore|that|only|but)\s)"
    r"(?P<token>\s*[(\[\"'*_]*[A-Z][)\]\"'*_]*)\s+(?:is|was)\s+(?:clearly\s+|therefore\s+|thus\s+|indeed\s+)?"
    rf"(?:(?i:the\s+(?:correct|right|best)\s+(?:{NOUN}|one))|(?i:correct|right))(?!\w)(?!\s*\?|\s+(?:if|only|in|about|to|for|when|but)\b)",
    re.MULTILINE,
)
_BULLET = re.compile(r"^[#>\-•\s]+")
_LISTED = re.compile(r"[#>\-•\s]*[(\[*_]*[A-Z][)\]*_]*[.):]")
_LETTER = re.compile(r"(?<![A-Za-z])[A-Z](?![A-Za-z])")


class _Answer(NamedTuple):
    """``reading``: a letter, or that it is none of them. ``end``: where it ends in the text."""

    reading: str
    end: int


def letter_of(response: str, options: Options) -> str | None:
    """The label of the chosen option; None if none is chosen, or several."""
    found = _reader(options).read(said(response))
    return None if found == _NONE_OF_THEM else found


@lru_cache(maxsize=4096)
def _reader(options: Options) -> _Reader:
    return _Reader(options)


class _Reader:
    def __init__(self, options: Options) -> None:
        self.labels = [label for label, _ in options]
        texts = [folded(text) for _, text in options]
        self.by_text = {t: k for t, k in zip(texts, self.labels, strict=True) if texts.count(t) == 1}
        # Whole options in which a letter could be read, the longest first.
        risky = [(text.split(), n) for n, (_, text) in enumerate(options) if _is_risky(text)]
        self.masks = [
            (_words(words), chr(_OPTION + n)) for words, n in sorted(risky, key=lambda r: -len(" ".join(r[0])))
        ]

    def read(self, text: str) -> str | None:
        text = self._plain(TAG.sub(lambda m: self._tag(m[1], closed=bool(m[2])), text)).replace("</answer>", "\n")
        found = list(self._statements(text))
        return max(found, key=lambda a: a.end).reading if found else self._line(text)

    # -- what stands for an answer by itself -------------------------------------------------------

    def _tag(self, content: str, *, closed: bool) -> str:
        """An answer, whatever it says; but one that breaks off unread is none."""
        reading = self._alone(content)
        if reading is None and not (closed and content.strip()):
            return " "
        return _MARKED.format(reading or _NONE_OF_THEM)

    def _box(self, content: str) -> str:
        reading = self._alone(content)
        return _MARKED.format(reading) if reading else OPAQUE  # a number on the way to the answer

    def _alone(self, content: str) -> str | None:
        """The answer of a tag or a box."""
        words = folded(content)
        if words in self.by_text and words.upper() not in self.labels:
            return self.by_text[words]
        text = self._plain(content).strip()
        token = _TOKEN.match(text)
        if token:
            rest, reading = text[token.end() :], self._reading(token)
            if not rest.strip(" .:;,!*_`)]"):
                return reading
            if _HEDGE.match(rest):
                return _NONE_OF_THEM
            delimited = bool(
                token["text"]
                or token["mark"]
                or ")" in (token["close"] or "")
                or re.match(r"\s*[.:)\]]|\s+[-–—]\s", rest)
            )
            if delimited and self._text_option(rest) in (None, reading) and not _TAKEN_BACK.match(rest):
                return reading
        found = list(self._statements(text))
        return max(found, key=lambda a: a.end).reading if found else None

    def _plain(self, text: str) -> str:
        """Without anything in which a letter is no answer: options' texts, formulas. Boxes become marks."""
        for words, mark in self.masks:
            text = words.sub(mark, text)
        text = unstyled(with_boxes(text, self._box))
        return without_math(text, _kept)

    # -- statements --------------------------------------------------------------------------------

    def _statements(self, text: str) -> Iterator[_Answer]:
        for mark in _MARK.finditer(text):
            if not _is_denied(text, mark.start(), mark.end()):
                yield _Answer(mark[1], mark.end())
        for lead in _LEADS.finditer(text):
            answer = self._said_at(text, lead.end(), after_colon=lead[0].rstrip(" *_").endswith(":"))
            if answer and not _is_denied(text, lead.start(), answer.end):
                yield answer
        for judged in _JUDGED.finditer(text):
            token = judged["token"].strip()
            if token.strip("I") and not _is_denied(text, judged.start(), judged.end()):
                letter = _LETTER.search(token)
                if letter:
                    yield _Answer(self._label(letter[0]), judged.end())

    def _said_at(self, text: str, at: int, *, after_colon: bool) -> _Answer | None:
        """The answer that begins where it was announced."""
        token = _TOKEN.match(text, at)
        if token and (token["mark"] or token["text"]):
            return _Answer(self._reading(token), token.end())
        line = text[at:].lstrip().partition("\n")[0]
        option = self._text_option(line)
        if option:
            return _Answer(option, at + len(line))
        if not token:
            return None
        rest, letter = text[token.end() :], token["letter"]
        if _HEDGE.match(rest):
            return _Answer(_NONE_OF_THEM, token.end())
        if not _is_letter(token, rest, after_colon=after_colon) or self._opens_list(letter, rest):
            return None
        return _Answer(self._reading(token), token.end())

    def _opens_list(self, letter: str, rest: str) -> bool:
        """All options follow: "Answer choices are: A: ... B: ..."."""
        following = chr(ord(letter.upper()) + 1)
        return bool(re.match(rf"[.):][^\n]*\n[\s(\[*_#>-]*{following}[)\]*_]*[.):]", rest))

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
        token = _TOKEN.match(line)
        if not token or not token["letter"]:
            return None
        rest, reading = line[token.end() :], self._reading(token)
        if not rest.strip(" .:;!*_`)]。"):
            clear = alone or _is_wrapped(token) or (token["letter"].isupper() and token["letter"] != "I")
            return reading if clear else None
        delimited = ")" in (token["close"] or "") or re.match(r"[.:)\]]", rest)
        return reading if delimited and self._text_option(rest.lstrip(".:)]")) == reading else None

    # -- readings ----------------------------------------------------------------------------------

    def _reading(self, token: re.Match[str]) -> str:
        if token["mark"]:
            return token["mark"]
        return self.labels[ord(token["text"]) - _OPTION] if token["text"] else self._label(token["letter"])

    def _label(self, letter: str) -> str:
        return letter.upper() if letter.upper() in self.labels else self.by_text.get(letter.casefold(), _NONE_OF_THEM)

    def _text_option(self, text: str) -> str | None:
        """The option whose text this is, or with which its first sentence ends."""
        text = text.strip(" .:)]*_")
        if text[:1] and 0 <= ord(text[0]) - _OPTION < len(self.labels):
            return self.labels[ord(text[0]) - _OPTION]
        for words in (folded(text), folded(re.split(r"[.;]\s", text, maxsplit=1)[0])):
            if len(words) > 1 and words in self.by_text:
                return self.by_text[words]
        return None


def _is_risky(text: str) -> bool:
    words = folded(text)
    return len(words) > 1 and bool(_LETTER.search(text) or "$" in text or "\\" in text)


def _words(words: list[str]) -> re.Pattern[str]:
    body = r"\s+".join(re.escape(w) for w in words)
    return re.compile(rf"(?<![^\W_]){body}(?![^\W_])", re.IGNORECASE)


def _kept(formula: str) -> str:
    """Of a formula: the answer that is marked in it, or the letter that is all of it."""
    marks = _MARK.findall(formula)
    if marks:
        return _MARKED.format(marks[-1])
    masked = re.fullmatch(r"\s*([\ue000-\ue019])\s*", formula)
    plain = re.fullmatch(r"\s*\{*\s*(\(?[A-Za-z]\)?)\s*\}*\s*\.?\s*", formula)
    return masked[1] if masked else plain[1] if plain else OPAQUE


def _is_wrapped(token: re.Match[str]) -> bool:
    """In brackets, quotes or emphasis."""
    return bool(token["open"] or token["close"] or token["before"].strip())


def _is_letter(token: re.Match[str], rest: str, *, after_colon: bool) -> bool:
    """Whether a letter is an option's, and no word ("a", "I") and no variable."""
    letter = token["letter"]
    if _is_wrapped(token) and token["close"]:
        return True
    if letter.islower():  # "the answer is a" may have been cut off
        return bool((_ENDED if letter not in "ai" or after_colon else _STOPPED).match(rest))
    if letter == "I":
        return bool(_STOPPED.match(rest)) or not rest.strip()
    return letter != "A" or bool(_SPOKEN.match(rest))


def _is_denied(text: str, start: int, end: int) -> bool:
    """Whether the clause takes its answer back, or only supposes it."""
    before = text[max(0, start - 120) : start]
    clause = _CLAUSE.split(before)[-1]
    return bool(_DENIED.search(clause) or _TAKEN_BACK.match(text, end))
