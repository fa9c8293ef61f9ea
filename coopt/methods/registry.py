"""Methods by name: every module of this folder enters its own, and installed packages may add more."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError

import coopt.methods.algorithms
from coopt.core.config.faults import first_fault
from coopt.core.config.schema import ALL, ALWAYS_THERE, Config
from coopt.core.errors import ConfigError, unknown
from coopt.graph.topology import Topology
from coopt.methods.base import METHODS, Method, Trained

ENTRY_POINTS = "coopt.methods"
FIRST = ("sdpo", "opcod")
"""The baseline, then what others are matched to; every other method follows by name."""


@cache
def all_methods() -> Mapping[str, type[Method]]:
    """name -> class."""
    for module in pkgutil.iter_modules(coopt.methods.algorithms.__path__, "coopt.methods.algorithms."):
        importlib.import_module(module.name)
    for point in entry_points(group=ENTRY_POINTS):
        point.load()
    names = [*FIRST, *sorted(n for n in METHODS if n not in FIRST)]
    return {name: METHODS[name] for name in names}


def make_method(name: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Method:
    """A method by name, with its own among the run's ``options``. Raises ``ConfigError``."""
    classes = all_methods()
    if name not in classes:
        raise ConfigError(unknown("method", name, [*classes, *ALWAYS_THERE, ALL]))
    own = (options or {}).get(name, {})
    try:
        return classes[name](classes[name].Options.model_validate(own))
    except ValidationError as error:
        fault, allowed = first_fault(error), list(classes[name].Options.model_fields)
        raise ConfigError(
            f"setting options.{name}.{fault.line}. Options of {name}: {', '.join(allowed) or 'none'}."
        ) from None


def everyone(topology: Topology, config: Config) -> Topology:
    """``topology`` with the nodes that the run's methods add to it; its edges are not changed."""
    nodes = dict(topology.nodes)
    for name in config.methods:
        method = make_method(name, config.options)
        if isinstance(method, Trained):
            nodes |= method.graph(topology).nodes
    return replace(topology, nodes=nodes)
