"""How numbers are written in tables."""

from __future__ import annotations

import re

from coopt.core.statistics.ranking import Rank

NONE = "–"
FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet would work out."""
NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
"""What is a number all the same. Both patterns mean the same to Python's ``re`` and to Arrow."""


def harmless(text: str) -> str:
    """A text as a cell of a CSV: what a spreadsheet would take for a formula gets an apostrophe before it."""
    runs = re.search(FORMULA, text) and (not re.search(NUMBER, text) or text.endswith("\n"))
    return f"'{text}" if runs else text


def percent(value: float | None, digits: int = 1) -> str:
    return NONE if value is None else f"{100 * value:.{digits}f}"


def signed(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:+.1f}"


def span(low: float | None, high: float | None, form: str = ".1f") -> str:
    return NONE if low is None or high is None else f"[{100 * low:{form}}, {100 * high:{form}}]"


def printable(text: str, kept: str = "") -> str:
    """Untrusted text for a terminal: ``?`` in place of what steers it, but for the characters ``kept``."""
    return "".join(c if c.isprintable() or c in kept else "?" for c in text)


def domain_of(name: str, native: bool) -> str:
    """A domain, marked where it is the student's own."""
    return f"{name} (native)" if native else name


def yes(value: bool) -> str:
    return "yes" if value else "no"


def probability(value: float | None) -> str:
    return NONE if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def places(rank: Rank | None) -> list[str]:
    """Two cells: the rank, and the places that are possible."""
    return [str(rank.rank), f"{rank.rank}-{rank.last}"] if rank else [NONE, NONE]
