"""Text from outside that is to be parsed: what a parser would not survive is found before it begins."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST_BYTES = 1 << 24
"""Of a file of settings or of a graph."""
MOST_NESTED = 100
"""Lists and tables inside one another; more is nobody's data."""

# A string that is not closed runs to the end of the text: nothing is looked at twice.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
# A key of many parts: each costs a parser as much as all before it. Quotes stand for what they hold.
_DOTTED = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{MOST_NESTED},}}")
_NO_BRACKET = re.compile(r"[^][{}]+")


class TooMuchError(ValueError):
    """A text that is larger or deeper than anything that is meant to be read here."""


def read_text(path: Path) -> str:
    """The text of a file of settings or of a graph. Raises ``TooMuchError``, ``OSError``, ``UnicodeDecodeError``."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise TooMuchError(f"it has more than {MOST_BYTES >> 20} MB")
    return content.decode("utf-8")


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises ``TooMuchError``, or another ``ValueError`` where it is no TOML."""
    if _DOTTED.search(_STRING.sub("s", text)):
        raise TooMuchError(f"a key of more than {MOST_NESTED} parts")
    try:
        tree = tomllib.loads(text)
    except RecursionError:
        raise TooMuchError(f"tables inside one another, deeper than {MOST_NESTED}") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise TooMuchError("a number of more than 4,300 digits") from None
    if _is_deep(tree):
        raise TooMuchError(f"tables inside one another, deeper than {MOST_NESTED}")
    return tree


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ``TooMuchError``, or another ``ValueError`` where it is no JSON."""
    if json_depth(text) > MOST_NESTED:
        raise TooMuchError(f"lists and objects inside one another, deeper than {MOST_NESTED}")
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise TooMuchError("a number of more than 4,300 digits") from None


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_NESTED + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = inner
        if not level:
            return False
    return True


def json_depth(text: str) -> int:
    """How many lists and objects stand inside one another in a JSON text. One pass."""
    deepest = depth = 0
    for bracket in _NO_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
