"""Methods by name."""

from __future__ import annotations

from coopt.errors import ConfigError, unknown
from coopt.methods.base import Method
from coopt.methods.self_distillation import SDPO, AlwaysOPCoD, OPCoD, Oracle, Shuffled

METHODS: dict[str, type[Method]] = {m.name: m for m in (SDPO, OPCoD, AlwaysOPCoD, Shuffled, Oracle)}


def make_method(name: str) -> Method:
    """A method by name. Raises ``ConfigError``."""
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return METHODS[name]()
