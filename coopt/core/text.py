"""Text of others, made such that it is only text: on a terminal, in a line, in Markdown, in a spreadsheet.

Rows, models, servers, files and entries may hold what steers a terminal, turns the direction of writing, hides, or
opens a second line.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's control (C0, C1), format (bidirectional, zero width, tags), surrogate and line-separating characters."""
_UNMARKED = re.compile(r"[\u034f\u115f\u1160\u3164\uffa0]")  # seen by nobody, though no format characters
FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet would work out."""
NUMBERS = r"^[+-]?[\d.,% \[\]+-]*([eE][+-]?\d+)?$"
"""What is a number, or some, all the same. Both patterns mean the same to Python's ``re`` and to Arrow."""
_OPENS_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENTITY = re.compile(r"&(?=#|[A-Za-z][A-Za-z0-9]*;)")


def visible(text: str, kept: str = "\n\t") -> str:
    """``text`` with a sign in place of every character that steers or hides, but for those ``kept``."""
    plain = text.translate(dict.fromkeys(map(ord, kept)))
    if plain.isascii() and plain.isprintable():
        return text
    shown = "".join(c if c in kept or unicodedata.category(c) not in _HIDDEN else "�" for c in text)
    return _UNMARKED.sub("�", shown)


def visible_in(value: Any) -> Any:
    """``value`` with ``visible`` texts, wherever they stand in its lists and tables."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible_in(k): visible_in(v) for k, v in value.items()}
    return [visible_in(v) for v in value] if isinstance(value, list | tuple) else value


def one_line(text: str) -> str:
    """``text`` as one line that can be printed: white space, line ends among it, is one blank."""
    return visible(" ".join(text.split()))


def markdown(text: str) -> str:
    """``text`` for a cell or a line of Markdown: no line end, no cell border, no HTML, no link and no image."""
    text = _OPENS_TAG.sub("&lt;", _ENTITY.sub("&amp;", one_line(text)))
    text = text.replace("](", "]\\(").replace("][", "]\\[")
    return re.sub(r"(?<!\\)\|", r"\\|", text.replace("\\|", "\\&#124;"))


def spreadsheet(text: str) -> str:
    """``text`` for a cell of CSV: what a spreadsheet would take for a formula begins with an apostrophe."""
    text = visible(text, kept="\n\t")
    runs = re.search(FORMULA, text) and (not re.search(NUMBERS, text) or text.endswith("\n"))
    return f"'{text}" if runs else text
