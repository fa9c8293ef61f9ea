"""A row's fields as text: looked up by name or by a dotted path, and put into templates."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_FIELD = re.compile(r"\{([^{}]+)\}")


class MisfitError(Exception):
    """Why a row is no question, in words that other rows with the same fault share."""


def look_up(row: Mapping[str, Any], name: str) -> Any:
    """A field's value; None if it is not there, null or NaN."""
    found: Any = row.get(name)
    if name not in row:
        found = row
        for key in name.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    return None if isinstance(found, float | Decimal) and math.isnan(found) else found


def as_text(value: Any, what: str) -> str:
    """A text as it is, or a number as text; empty: nothing is there, or only blanks. Raises ``MisfitError``."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value if value.strip() else ""
    if isinstance(value, bool | int | float | Decimal):
        try:
            return str(value)
        except ValueError:  # an integer of thousands of digits
            raise MisfitError(f"{what} is a number of more digits than Python writes") from None
    raise MisfitError(f"{what} is not text but a {type(value).__name__}")


def text_of(row: Mapping[str, Any], field: str) -> str:
    """What a field or template says; empty if nothing is there (of a template: in any of its fields)."""
    if "{" not in field:
        return as_text(look_up(row, field), f"field '{field}'")
    parts = {name: as_text(look_up(row, name), f"field '{name}'") for name in _FIELD.findall(field)}
    return _FIELD.sub(lambda m: parts[m[1]], field) if all(parts.values()) else ""


def need_text(row: Mapping[str, Any], field: str, what: str) -> str:
    """The same, and there must be something. Raises ``MisfitError``."""
    found = text_of(row, field)
    if not found:
        raise MisfitError(f"{what} is missing or empty (field '{field}')")
    return found
