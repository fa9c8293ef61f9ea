"""Options that stand in one text, each behind its letter: `A) one B) two`, `(a) one`, `A. one`, one a line or not."""

from __future__ import annotations

import re
from string import ascii_uppercase

_LABEL = re.compile(r"(?:^|(?<=[\s,;]))(?P<open>[(\[]?)(?P<letter>[A-Za-z])\s?(?P<close>[).:\]])(?=\s|\S)")
_LINE = re.compile(r"(?m)^\s*(?:Answer )?(?:[Oo]ptions|[Cc]hoices)\s*:\s*$")


def cut_options(text: str) -> tuple[str, list[str]]:
    """What stands before the options, and the options. No options where there are not two letters or more in order.

    A letter counts only in the form of the first one (`A)` is followed by `B)`, not by `B.`). The last series that
    begins with A is taken: a question may hold statements (a) and (b) of its own.
    """
    best: list[re.Match[str]] = []
    marks = list(_LABEL.finditer(text))
    for k, first in enumerate(marks):
        if first["letter"].upper() == "A":
            series = _series(marks[k:])
            if len(series) > 1:
                best = series
    if not best:
        return text, []
    ends = [m.start() for m in best[1:]] + [len(text)]
    options = [text[m.end() : end].strip().rstrip(",;").strip() for m, end in zip(best, ends, strict=True)]
    if not any("\n\n" in option for option in options[:-1]):  # what comes after a blank line asks for the answer
        options[-1] = options[-1].partition("\n\n")[0]
    return _LINE.sub("", text[: best[0].start()]).strip(), options


def _series(marks: list[re.Match[str]]) -> list[re.Match[str]]:
    """The marks A, B, C ... that follow one another in the form of the first."""
    found = [marks[0]]
    upper = marks[0]["letter"].isupper()
    for mark in marks[1:]:
        same = (mark["open"], mark["close"]) == (marks[0]["open"], marks[0]["close"])
        if len(found) == len(ascii_uppercase):
            break
        if same and mark["letter"].isupper() == upper and mark["letter"].upper() == ascii_uppercase[len(found)]:
            found.append(mark)
    return found
