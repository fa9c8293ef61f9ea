"""Gates by name."""

from __future__ import annotations

from coopt.config.schema import GateConfig
from coopt.errors import ConfigError, unknown
from coopt.gates.base import Gate
from coopt.gates.cognizance import Cognizance
from coopt.gates.constant import Always, Never

GATES = ("cognizance", "always", "never")


def make_gate(config: GateConfig) -> Gate:
    """The gate of a configuration. Raises ``ConfigError`` for an unknown kind."""
    if config.kind == "cognizance":
        return Cognizance(config.tau, config.scope)
    constant: dict[str, type[Always] | type[Never]] = {"always": Always, "never": Never}
    if config.kind not in constant:
        raise ConfigError(unknown("gate", config.kind, GATES, "gate.kind: "))
    return constant[config.kind]()
