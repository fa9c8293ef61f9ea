"""What a model thought before it answered: never shown to another reader."""

from __future__ import annotations

import re

OPENS, CLOSES = "<think>", "</think>"
_THOUGHT = re.compile(r"<think>.*?</think>\s*", re.DOTALL)
_UNENDED = re.compile(r"<think>.*\Z", re.DOTALL)


def without_thinking(text: str, *, unended: bool = False) -> str:
    """``text`` without its ``<think>`` blocks. ``unended``: without one that never ends too, and so without all that
    comes after it (a demonstration keeps that, as in SDPO's code: its answer may stand there).

    Whatever stands before a ``</think>`` that nothing opened was thought too: some templates open the tag themselves.
    """
    text = _THOUGHT.sub("", text)
    _, closed, rest = text.rpartition(CLOSES)
    text = rest.lstrip() if closed else text
    return _UNENDED.sub("", text) if unended else text
