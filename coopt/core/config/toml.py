"""TOML files that users write, with their faults in one line; nested tables as dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coopt.core.errors import ConfigError
from coopt.core.outside.files import UnreadableError, read_text
from coopt.core.outside.parse import parse_toml


def read_toml(path: Path, what: str, where_else: str) -> dict[str, Any]:
    """The tree of a file. ``what`` names it in messages (`--preset my.toml`); ``where_else`` is what to do if it is not
    there. Raises ``ConfigError``."""
    try:
        return parse_toml(read_text(path))
    except FileNotFoundError:
        raise ConfigError(f"{what}: no such file. {where_else}") from None
    except UnreadableError as error:
        raise ConfigError(f"{what}: {error}. {where_else}") from None


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys: ``{"rounds": {"steps": 5}}`` is ``{"rounds.steps": 5}``."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found
