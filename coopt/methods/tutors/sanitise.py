"""Remove direct answer reveals from a tutor's text (paper C.2).

Removed: boxed or bold answer letters, with what stands behind them in the box, ``Final answer: X``, ``The correct
option is X``, ``So it is X.``, ``<answer>`` blocks, chat control tokens. Kept: numeric boxes and ordinary mentions of
options ("option B ignores friction").
"""

from __future__ import annotations

import re
from functools import lru_cache

from coopt.domains.announced import LEAD, LINK, NOUN
from coopt.domains.base import AnswerKind

_WRAP = r"[\s(\[{\"'*_$]*"
_UNWRAP = r"[)\]}\"'*_$]*"

_CONTROL = re.compile(r"<\|[^|<>]*\|>")
_ANSWER_BLOCK = re.compile(r"<answer>.*?(?:</answer>|$)|</answer>", re.DOTALL | re.IGNORECASE)
# Between words the patterns take any number of these; what is longer than anybody writes would cost its square.
_LONG = re.compile(r"([\s*_$\\(){}\[\]\"':]{24})[\s*_$\\(){}\[\]\"':]+")
_BLANKS = re.compile(r"[ \t]{2,}")
_STATED_TEXT = re.compile(rf"(?i:final\s+answer|(?:the\s+)?(?:correct|right)\s+{NOUN}|the\s+answer)(?i:{LINK})[^.\n]*")


@lru_cache(maxsize=26)
def letter_patterns(last: str) -> tuple[re.Pattern[str], ...]:
    """How the letters A to ``last`` are revealed: stated ones first, so that "Final answer: **B**" goes as a whole."""
    one = f"[A-{last}]"
    boxed = rf"\$*\\+boxed\s*\{{\s*(?:\\+[a-z]+\s*\{{)?\s*\(?{one}\)?(?:[.:)][^{{}}]*)?\s*\}}?\s*\}}\$*"
    letter = rf"(?:\s*{boxed}|{_WRAP}{one}{_UNWRAP}(?!\w))"
    return (
        # The lead-in is matched in any case, the letter in upper case only: "the answer is a matter of" stays.
        re.compile(rf"(?i:{LEAD})(?i:{LINK}){letter}[.:]?"),
        re.compile(
            rf"(?:(?i:option|choice)\s+)?(?<!\w)(?!I\s+was)[(\[*_]*{one}[)\]*_]*\s+(?i:is|was)\s+(?i:the\s+)?"
            rf"(?i:correct|right)(?:\s+(?i:{NOUN}|one))?(?!\w)\.?"
        ),
        re.compile(
            rf"(?<!\w)(?i:so|thus|hence|therefore),?\s+(?i:it|this|that)(?:'s|\s+(?i:is|must\s+be))\s+"
            rf"(?:(?i:option|choice)\s+)?{_WRAP}{one}{_UNWRAP}(?=\s*(?:[.!;\n]|$))[.!]?"
        ),
        re.compile(boxed + _UNWRAP),
        re.compile(rf"(\*\*|__)\s*\(?(?:[Oo]ption\s+)?{one}\)?\s*(?:[.:][^*\n]*)?\1(?!\w)"),
    )


def marked_letters(last: str) -> tuple[re.Pattern[str], ...]:
    """How the letters A to ``last`` stand in an answer's tag, in a box, or in bold."""
    one = f"[A-{last}]"
    return (re.compile(rf"<answer>\s*\(?{one}(?!\w)", re.IGNORECASE), *letter_patterns(last)[-2:])


def sanitise(text: str, kind: AnswerKind, correct_text: str, question: str, last: str = "D") -> str:
    """``text`` without answer reveals. ``last``: the last option's letter.

    With answers in words or numbers the correct option's own words are removed too, unless the question contains them.
    """
    text = shortened(_ANSWER_BLOCK.sub(" ", _CONTROL.sub(" ", text)))
    if kind != "letter":
        text = _STATED_TEXT.sub(" ", text)
        if not contains(question, correct_text):
            text = _as_words(correct_text).sub(" ", text)
    else:
        for pattern in letter_patterns(last):
            text = pattern.sub(" ", text)
    return _BLANKS.sub(" ", text).strip()


def shortened(text: str) -> str:
    """``text`` with its blanks folded and runs of other marks cut, so that the patterns' work grows as its length."""
    return _LONG.sub(r"\1", _BLANKS.sub(" ", text))


def contains(text: str, words: str) -> bool:
    """Are ``words`` in ``text``, as whole words, in order, white space folded?"""
    return bool(words.split()) and _as_words(words).search(text) is not None


def _as_words(words: str) -> re.Pattern[str]:
    body = r"\s+".join(re.escape(w) for w in words.split())
    return re.compile(rf"(?<!\w){body}(?!\w)", re.IGNORECASE)
