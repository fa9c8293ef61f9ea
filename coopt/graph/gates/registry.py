"""Gates by name, by entry point, or from a user's file."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from coopt.core.config.schema import GateConfig
from coopt.core.errors import ConfigError, unknown
from coopt.graph.gates.base import Gate
from coopt.graph.gates.benefit import BenefitGate
from coopt.graph.gates.code import UnreadGate, file_of, may_import
from coopt.graph.gates.cognizance import CognizanceGate, DomainSelectiveGate, PerDomainGate
from coopt.graph.gates.confident import ConfidentGate
from coopt.graph.gates.constant import AlwaysGate, NeverGate, RandomGate
from coopt.graph.gates.options import Watched

ENTRY_POINTS = "coopt.gates"
GATES: dict[str, Callable[[GateConfig], Gate]] = {
    "cognizance": lambda c: CognizanceGate(c.tau, c.scope),
    "always": lambda c: AlwaysGate(),
    "never": lambda c: NeverGate(),
    "domain_selective": lambda c: DomainSelectiveGate(c.tau, c.scope),
    "per_domain": lambda c: PerDomainGate(c.tau, c.scope),
    "random": lambda c: RandomGate(c.rate),
    "confident": lambda c: ConfidentGate(),
    "benefit": lambda c: BenefitGate(),
}


def make_gate(config: GateConfig) -> Gate:
    """The gate of a configuration. Raises ``ConfigError``.

    ``kind``: a name, the name of an entry point of the group ``coopt.gates``, or ``FILE.py:CLASS`` (as
    ``coopt.graph.gates.code`` allows). A plug-in is called with the ``GateConfig``; ``gate.options`` is free for it.
    """
    file = file_of(config.kind)
    if file and not may_import(*file):
        return UnreadGate(config.kind)
    make = GATES.get(config.kind) or (_from_file(*file) if file else _plug_in(config.kind))
    try:
        gate = make(config)
    except ConfigError:
        raise
    except Exception as error:  # whatever a user's class raises, it is that class's fault
        raise ConfigError(
            f"gate.kind = '{config.kind}': called with the gate's settings it fails: {type(error).__name__}: {error}."
        ) from error
    if not isinstance(gate, Gate):
        raise ConfigError(f"gate.kind = '{config.kind}': not a gate: it needs name, reads_scores and decide(view).")
    return gate


def check_options(gates: Iterable[GateConfig]) -> None:
    """Some gate of a run reads each of ``gate.options`` when it is made; what is only looked at may read any. Raises
    ``ConfigError``."""
    by_kind = {config.kind: config for config in gates}
    asked, unread = set[str](), {key for config in by_kind.values() for key in config.options}
    for config in by_kind.values():
        options = Watched(config.options)
        if isinstance(make_gate(config.model_copy(update={"options": options})), UnreadGate):
            return
        asked |= options.asked
        unread &= options.unread
    for key in sorted(unread):
        kinds = f"gate {' or '.join(sorted(by_kind))}"
        if not asked:
            raise ConfigError(f"gate.options.{key}: {kinds} takes no options. Leave it out.")
        raise ConfigError(unknown(f"option of {kinds},", key, asked, "gate.options: "))


def wants(gate: Gate, what: Literal["reads_leads", "reads_probe"]) -> bool:
    """Whether a gate asks for one of the parts of a view that are not there for all."""
    return bool(getattr(gate, what, False))


def _plug_in(kind: str) -> Any:
    points = {p.name: p for p in entry_points(group=ENTRY_POINTS)}
    if kind in points:
        try:
            return points[kind].load()
        except Exception as error:  # an installed package that does not import
            raise ConfigError(f"gate.kind = '{kind}': {type(error).__name__}: {error}.") from error
    raise ConfigError(unknown("gate", kind, [*GATES, *points], "gate.kind: ") + " Or FILE.py:CLASS.")


def _from_file(path: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"coopt_gate_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's file raises, it is that file's fault
        raise ConfigError(f"gate.kind: {path}: {type(error).__name__}: {error}.") from error
    if not hasattr(module, name):
        raise ConfigError(f"gate.kind: {path} has no '{name}'.")
    return getattr(module, name)
