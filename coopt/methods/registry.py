"""Methods by name."""

from __future__ import annotations

from coopt.errors import ConfigError, unknown
from coopt.methods.base import Method
from coopt.methods.self_distillation import SDPO, OPCoD, Oracle

METHODS: dict[str, type[Method]] = {m.name: m for m in (SDPO, OPCoD, Oracle)}


def make_method(name: str) -> Method:
    """A method by name. Raises ``ConfigError``."""
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return METHODS[name]()
