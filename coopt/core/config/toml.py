"""TOML files that users write, with their faults in one line; nested tables as dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coopt.core.errors import ConfigError
from coopt.core.outside import TooMuchError, parse_toml, read_text


def read_toml(path: Path, what: str, where_else: str) -> dict[str, Any]:
    """The tree of a file. ``what`` names it in messages (`--preset my.toml`); ``where_else`` is what to do if it is not
    there. Raises ``ConfigError``."""
    try:
        return parse_toml(read_text(path))
    except FileNotFoundError:
        raise ConfigError(f"{what}: no such file. {where_else}") from None
    except OSError as error:  # a folder, or no permission
        raise ConfigError(f"{what}: cannot be read ({error.strerror}).") from None
    except TooMuchError as error:
        raise ConfigError(f"{what}: {error}.") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{what}: not TOML ({error}).") from None


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as dotted keys: ``{"rounds": {"steps": 5}}`` is ``{"rounds.steps": 5}``."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found
