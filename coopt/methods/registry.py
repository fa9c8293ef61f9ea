"""Methods by name: every module of this folder enters its own, and installed packages may add more."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import coopt.methods.algorithms
from coopt.core.config.faults import first_fault
from coopt.core.config.schema import ALL, ALWAYS_THERE, Config
from coopt.core.errors import ConfigError, PluginError, unknown
from coopt.core.names import BASE, INIT, same_file
from coopt.graph.topology import Topology
from coopt.methods.base import METHODS, Method, Trained

ENTRY_POINTS = "coopt.methods"
_FOLDERS = (INIT, BASE, "break_rate")
FIRST = ("sdpo", "opcod")
"""The baseline, then what others are matched to; every other method follows by name."""


@cache
def all_methods() -> Mapping[str, type[Method]]:
    """name -> class."""
    for module in pkgutil.iter_modules(coopt.methods.algorithms.__path__, "coopt.methods.algorithms."):
        importlib.import_module(module.name)
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:  # an installed package that does not import
            raise PluginError(
                f"method '{point.name}' ({point.value}, an entry point of the group {ENTRY_POINTS}) cannot be imported:"
                f" {type(error).__name__}: {error}. Fix or uninstall its package."
            ) from error
    _check_names()
    names = [*FIRST, *sorted(n for n in METHODS if n not in FIRST)]
    return {name: METHODS[name] for name in names}


def _check_names() -> None:
    """A method's name is a folder's, beside others. Raises ``PluginError``."""
    seen = {name: name for name in _FOLDERS}
    for name in sorted(METHODS, key=lambda name: (not name.islower(), name)):
        first = seen.setdefault(same_file(name), name)
        if first != name or name in _FOLDERS:
            raise PluginError(
                f"method '{name}' would lie in the same folder as '{first}' where case makes no difference. Rename it,"
                " or uninstall its package."
            )


def code_of(names: Iterable[str]) -> dict[str, Path]:
    """name -> file, of those methods that are not coopt's own."""
    shipped = Path(__file__).resolve().parents[1]
    classes = all_methods()
    found = {name: inspect.getsourcefile(classes[name]) for name in names if name in classes}
    paths = {name: Path(file).resolve() for name, file in found.items() if file}
    return {name: path for name, path in paths.items() if not path.is_relative_to(shipped)}


def make_method(name: str, options: Mapping[str, Mapping[str, Any]] | None = None) -> Method:
    """A method by name, with its own among the run's ``options``. Raises ``ConfigError``."""
    classes = all_methods()
    if name not in classes:
        known = [*classes, *ALWAYS_THERE, ALL]
        raise ConfigError(unknown("method", name, known) + " One of your own: is its package installed here?")
    own = (options or {}).get(name, {})
    try:
        made = classes[name](classes[name].Options.model_validate(own))
        made.in_run(options or {})
        return made
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
