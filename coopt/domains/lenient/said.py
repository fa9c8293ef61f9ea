"""What of a response is said to the reader, and how LaTeX is taken off what is said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

from coopt.domains.thinking import without_thinking

TAG = re.compile(r"<answer>(.*?)(</answer>|(?=<answer>)|\Z)", re.DOTALL | re.IGNORECASE)
"""An answer's tag: what it holds, and its end, which is empty where it never ends."""
OPAQUE = "\ufffc"
"""Stands for what no letter is read in."""

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
    text = _CONTROL.sub("\n", text)
    whole, shown = without_thinking(text), without_thinking(text, unended=True)
    if whole == shown:
        return whole
    closed = [m[0] for m in TAG.finditer(whole) if m[2]]
    return shown + "".join(closed[-1:])


def unstyled(text: str) -> str:
    """Without the commands that only say how letters look: ``\\text{B}`` is B."""
    text, before = _SPACE.sub(" ", text), ""
    while before != text:
        before, text = text, _STYLED.sub(r"\1", text)
    return text


def boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of every ``\\boxed{...}`` whose braces are closed; of nested ones the outer."""
    end = 0
    for box in _BOX.finditer(text):
        if box.start() < end:
            continue
        depth, at = 1, box.end()
        while at < len(text) and depth:
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
