"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable

from coopt.errors import ConfigError, unknown
from coopt.gates.registry import GATES
from coopt.methods.base import Method
from coopt.methods.self_distillation import SDPO, Ablation, Honest, OPCoD, Oracle, Shuffled

_ABLATIONS = tuple(kind for kind in GATES if kind not in ("cognizance", "never"))  # never is sdpo
METHODS: dict[str, Callable[[], Method]] = {
    "sdpo": SDPO,
    "opcod": OPCoD,
    **{kind: lambda kind=kind: Ablation(kind) for kind in _ABLATIONS},  # type: ignore[misc]
    "honest": Honest,
    "shuffled": Shuffled,
    "oracle": Oracle,
}


def make_method(name: str) -> Method:
    """A method by name. Raises ``ConfigError``."""
    if name not in METHODS:
        raise ConfigError(unknown("method", name, METHODS))
    return METHODS[name]()
