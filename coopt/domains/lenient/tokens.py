"""Where a letter is an answer: how it is announced, how it is written, and what takes it back."""

from __future__ import annotations

import re
from typing import NamedTuple

from coopt.domains.announced import ABOUT, LEAD, LINK, NOUN
from coopt.domains.lenient.said import LOOK, OPAQUE

NONE_OF_THEM = "?"
"""An answer is given, and it is no single option."""
OPTION = 0xE000
"""And an option's number: the character that stands for its text."""

_MARKED = "\ue200{}\ue201"
_MARK = re.compile("\ue200([A-Z?])\ue201")
_AROUND = r"[(\[{\"'“‘*_`]"
_GOES_ON = r"(?![^\W\u3000-\u9fff])"  # a letter within a word; Chinese is written without spaces
TOKEN = re.compile(
    rf"(?P<before>(?:\s|{_AROUND})*)(?:(?i:option|choice|letter|answer)\s+)?(?P<open>{_AROUND}*)"
    rf"(?:\ue200(?P<mark>[A-Z?])\ue201|(?P<letter>[A-Za-z])(?P<close>[)\]}}\"'”’*_`]*)"
    rf"{_GOES_ON}(?!['’^=+/\\<>~\u2212-](?!\s*[A-Z]\b))(?!\s*[=+×÷·^<>≈∝]|\s*\*\s*\w)"
    rf"|(?P<text>[\ue000-\ue019]))"
)
"""An answer as it may be written: (B), **b**, "option B", one that is marked, an option's text."""

_OTHER = rf"(?:(?i:option)\s+)?[(\[*_\"']*[A-Z][)\]*_\"']*{_GOES_ON}"
HEDGED = re.compile(
    rf"\s*(?:/|&|\b(?:or|and|und|and/or)\b|或|和|、)\s*{_OTHER}"
    rf"|\s*[,、]\s*{_OTHER}(?=\s*(?:[.,;)\]*\n]|and|or|&|或|和|$))"
)
"""Behind a letter: another one."""

_SPOKEN = re.compile(  # what may stand behind "A" if that is no article
    r"\s*(?:$|[.,;:!\n。、)]|[–—(\ue000-\ue019]|-\s|(?:because|since|as|due|is|was|for|which|where|by)\b)"
)
_ENDED = re.compile(r"[ \t]*(?:[.,;!。]|\n|$)")
_STOPPED = re.compile(r"[ \t]*(?:[.;!。]|\n)")
_TAKEN_BACK = re.compile(
    r"\s*\?|\s*(?:is|was|are|seems)(?:\s*(?:not|n['’]t)\b|\s+(?:wrong|incorrect|false)\b)|\s*\((?:wrong|incorrect)"
    r"|\s*(?:选项)?是?(?:错|不)",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|hardly|if|unless|whether|suppose|supposing|assume|assuming|than"
    r"|instead|except)\b|n['’]t\b|\b(?:wrong|incorrect|false)\s+(?:that|to)\b|[不未没]|如果|是否",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!?;:,\n。]|\b(?:so|therefore|thus|hence|but|because|then)\b", re.IGNORECASE)

LEADS = re.compile(
    rf"(?i:{LEAD}{ABOUT})(?i:{LINK})"
    r"|\b(?i:I|we|let['’]s|let\s+us)(?:['’](?:d|ll)|\s+(?:would|will|shall|must|should|am\s+going\s+to))?\s+"
    r"(?i:choose|pick|select|go\s+with|vote\s+for|opt\s+for|answer(?:\s+with)?)"
    r"(?i:\s+(?:the\s+)?(?:option|choice|answer|letter))?\b"
    r"|答案(?:应该|应当|应)?(?:是|为|选)?:?|正确(?:的)?选项(?:应该|应当|应)?(?:是:?|为:?|:)"
    r"|(?<![不未没能])(?<!不[应该能可])选(?:择)?(?!项):?"
)
"""What announces an answer."""
JUDGED = re.compile(
    r"(?:^|(?<=[.!?;:,\n。])|\b(?i:option|choice|answer|letter|so|thus|hence|therefore|that|only|but)\s)"
    r"\s*[(\[\"'*_]*(?P<letter>[A-Z])[)\]\"'*_]*\s+(?:is|was)\s+(?:clearly\s+|therefore\s+|thus\s+|indeed\s+)?"
    rf"(?:(?i:the\s+(?:correct|right|best)\s+(?:{NOUN}|one))|(?i:correct|right))"
    r"(?!\w)(?!\s*\?|\s+(?:if|only|in|about|to|for|when|but)\b)",
    re.MULTILINE,
)
""""B is correct." """


class Marked(NamedTuple):
    """An answer that was marked. ``reading``: a letter, or that it is none of them."""

    reading: str
    start: int
    end: int


def marked(reading: str) -> str:
    """A mark of an answer that stands for itself, in place of its tag or box."""
    return _MARKED.format(reading)


def marks(text: str) -> list[Marked]:
    """All marks of a text."""
    return [Marked(m[1], m.start(), m.end()) for m in _MARK.finditer(text)]


def in_formula(formula: str) -> str:
    """What is left of a formula: the answer that is marked in it, or the letter or option that is all of it."""
    within = marks(formula)
    if within:
        return marked(within[-1].reading)
    whole = re.fullmatch(r"[\s{]*([\ue000-\ue019]|\(?[A-Za-z]\)?)[\s}]*\.?\s*", formula)
    return whole[1] if whole else OPAQUE


def is_wrapped(token: re.Match[str]) -> bool:
    """In brackets, quotes or emphasis."""
    return bool(token["open"] or token["close"] or token["before"].strip())


def is_option(token: re.Match[str], rest: str, *, after_colon: bool) -> bool:
    """Whether an announced letter is an option's, and no word ("a", "I") and no variable. ``rest``: what follows."""
    letter = token["letter"]
    if token["close"] and is_wrapped(token):
        return True
    if letter.islower():  # "the answer is a" may have been cut off
        return bool((_ENDED if letter not in "ai" or after_colon else _STOPPED).match(rest))
    if letter == "I":
        return bool(_STOPPED.match(rest)) or not rest.strip()
    return letter != "A" or bool(_SPOKEN.match(rest))


def is_denied(text: str, start: int, end: int) -> bool:
    """Whether the clause around an answer takes it back, or only supposes it."""
    clause = _CLAUSE.split(text[max(0, start - 120) : start])[-1]
    return bool(_DENIED.search(clause) or is_taken_back(text[end : end + LOOK]))


def is_taken_back(rest: str) -> bool:
    """Whether what follows an answer denies or doubts it."""
    return bool(_TAKEN_BACK.match(rest))
