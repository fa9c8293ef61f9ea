"""What a model thought before it answered: never shown to another reader."""

from __future__ import annotations

from collections.abc import Iterator

OPENS, CLOSES = "<think>", "</think>"


def without_thinking(text: str, *, unended: bool = False) -> str:
    """``text`` without its ``<think>`` blocks. ``unended``: without one that never ends too, and so without all that
    comes after it (a demonstration keeps that, as in SDPO's code: its answer may stand there).

    Whatever stands before a ``</think>`` that nothing opened was thought too: some templates open the tag themselves.
    """
    kept, at = [], 0
    for start, end in blocks(text, OPENS, CLOSES):
        kept.append(text[at:start])
        at = end
        while text[at : at + 1].isspace():
            at += 1
    text = "".join([*kept, text[at:]])
    _, closed, rest = text.rpartition(CLOSES)
    text = rest.lstrip() if closed else text
    return text.partition(OPENS)[0] if unended else text


def blocks(text: str, opens: str, closes: str) -> Iterator[tuple[int, int]]:
    """Where each block of ``text`` begins and ends: from an opening tag to the next closing one. One pass, also over a
    text of opening tags alone."""
    start = text.find(opens)
    while start >= 0 and (end := text.find(closes, start + len(opens))) >= 0:
        yield start, end + len(closes)
        start = text.find(opens, end + len(closes))
