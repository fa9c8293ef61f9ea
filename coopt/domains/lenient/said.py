"""What of a response is said to the reader, and how LaTeX is taken off what is said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from coopt.domains.thinking import without_thinking

TAG = re.compile(r"<answer>(.*?)(</answer>|(?=<answer>)|\Z)", re.DOTALL | re.IGNORECASE)
"""An answer's tag: what it holds, and its end, which is empty where it never ends."""
LOOK = 400
"""Characters of one statement that are looked at, at most."""
OPAQUE = "\ufffc"
"""Stands for what no letter is read in."""

_BOXES = 100  # that are looked at, the last ones
_LONGEST = 20_000  # characters of a response that are looked at, from the end
# Models that are stuck repeat one of these without end.
_BLANKS, _BREAKS, _REPEATED = re.compile(r"[^\S\n]+"), re.compile(r" ?\n[ \n]*"), re.compile(r"([^\w\s])\1{7,}")
_OWN = re.compile("[\ue000-\ue2ff\ufffc]")  # characters that stand for something here: none may come from a model
_CONTROL = re.compile(r"<\|[^|<>]*\|>|</?s>|<(?:start|end)_of_turn>|<eos>")
_WIDE = re.compile("[\uff01-\uff5e\u3000\u24b6-\u24e9\U0001d400-\U0001d7ff]")  # full-width, circled, mathematical
_STYLED = re.compile(
    r"\\+(?:text(?:bf|rm|it|sf|tt|normal)?|math(?:rm|bf|it|sf|tt)|mbox|boldsymbol|bm|operatorname)\s*\{([^{}]*)\}"
)
_SPACE = re.compile(r"\\[ ,;:!]|\\q?quad\b|(?<!\\)~")
_BOX = re.compile(r"\\+f?boxed\s*\{")
_MATH = re.compile(
    r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)"
    r"|\$(?=\S)([^$\n]*[^$\s])\$(?!\d)|\$\s*(\(?[A-Za-z]\)?)\s*\$",  # as Pandoc tells formulas from sums of money
    re.DOTALL,
)
_COMMAND = re.compile(r"\\[A-Za-z]+\s*(?:\{[^{}]*\})*(?:[_^](?:\{[^{}]*\}|\w))*")


def said(response: str) -> str:
    """A response without thoughts and control tokens, its wide and styled characters as plain ones.

    A thought that never ends says nothing; but an answer's tag that was closed in it stays.
    """
    text = _WIDE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), _OWN.sub(" ", response))
    text = _BREAKS.sub(_at_most_two, _BLANKS.sub(" ", _CONTROL.sub("\n", text)))
    text = _REPEATED.sub(r"\1\1\1\1", text)
    whole, shown = without_thinking(text), without_thinking(text, unended=True)
    if whole == shown:
        return whole[-_LONGEST:]
    closed = [m[0] for m in TAG.finditer(whole[-_LONGEST:]) if m[2]]
    return shown[-_LONGEST:] + "".join(closed[-1:])


def _at_most_two(breaks: re.Match[str]) -> str:
    return "\n\n" if breaks[0].count("\n") > 1 else "\n"


def unstyled(text: str) -> str:
    """Without the commands that only say how letters look: ``\\text{B}`` is B."""
    text = _SPACE.sub(" ", text)
    for _ in range(3):  # as deep as they are nested
        text = _STYLED.sub(r"\1", text)
    return text


def boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of every ``\\boxed{...}`` whose braces are closed; of nested ones the outer."""
    end = 0
    for box in list(_BOX.finditer(text))[-_BOXES:]:
        if box.start() < end:
            continue
        depth, at = 1, box.end()
        while at < min(len(text), box.end() + LOOK) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if not depth:
            end = at
            yield box.start(), at, text[box.end() : at - 1]


def with_boxes(text: str, written: Callable[[str], str]) -> str:
    """``text`` with ``written(content)`` in place of each box."""
    parts, last = [], 0
    for start, end, content in boxes(text):
        parts += [text[last:start], written(content)]
        last = end
    return "".join([*parts, text[last:]])


def without_math(text: str, kept: Callable[[str], str]) -> str:
    """``text`` with ``kept(formula)`` in place of each formula; other commands are opaque."""
    text = _MATH.sub(lambda m: kept(next(g for g in m.groups() if g is not None)), text)
    return _COMMAND.sub(OPAQUE, text)


def folded(text: str) -> str:
    """For comparing words: in one case, white space folded, without quotes, emphasis and a full stop around them."""
    return " ".join(text.casefold().split()).strip(" .,;:*_`\"'“”‘’。")
