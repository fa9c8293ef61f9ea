"""The arms of a suite: every combination of its grid, and the arms that it names."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coopt.core.config.load import load_config, parse_setting
from coopt.core.config.schema import ALL, Config
from coopt.core.config.toml import flat
from coopt.core.errors import ConfigError, CooptError
from coopt.core.names import resolve_domains
from coopt.domains.load import check_names
from coopt.driver.sweep.suite import Suite

_FLAGS = {"topology": "--topology", "nodes": "--nodes", "domains": "--domains", "methods": "--method"}
_LISTS = ("domains", "methods")
_MOST_BENCHES = 10_000
_OF_THE_SUITE = ("seed", "seeds")
_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*")


@dataclass(frozen=True, eq=False)
class Arm:
    """One bench of a suite, for any seed."""

    name: str
    preset: str
    smoke: bool
    settings: Mapping[str, Any]
    """Dotted key -> value: the suite's base and what makes this arm."""
    priority: int = 0
    """Higher runs earlier."""

    def config(self, seed: int) -> Config:
        """The bench's configuration. Raises ``ConfigError``."""
        flags = {k: v for k, v in self.settings.items() if k in _FLAGS}
        flags |= {k: _listed(flags[k]) for k in _LISTS if k in flags}
        config = load_config(preset=self.preset, smoke=self.smoke, settings=self._others(), seed=seed, seeds=1, **flags)
        check_names(config)
        return config

    def arguments(self, seed: int) -> list[str]:
        """``coopt bench`` arguments that give the same configuration."""
        words = ["--preset", self.preset, *(["--smoke"] if self.smoke else [])]
        for key, value in self.settings.items():
            if key in _FLAGS:
                words += [_FLAGS[key], ",".join(_listed(value)) if key in _LISTS else str(value)]
        for setting in self._others():
            words += ["--set", setting]
        return [*words, "--seed", str(seed), "--seeds", "1"]

    def _others(self) -> list[str]:
        # JSON writes strings, numbers, booleans and lists as TOML does, which is what --set reads.
        return [f"{k}={json.dumps(v)}" for k, v in self.settings.items() if k not in _FLAGS]


def make_arms(suite: Suite, where: str, *, smoke: bool = False, settings: Sequence[str] = ()) -> list[Arm]:
    """All arms, each checked. ``where`` names the suite in errors; ``smoke`` and ``settings`` (``key=value``) are
    laid over every arm. Raises ``ConfigError`` in one line.
    """
    base = flat(suite.base)
    _check_size(suite, where)
    arms = [_arm(n, base | s, p, smoke, settings, where) for n, s, p in (*_grid(suite, where), *_named(suite, where))]
    if not arms:
        raise ConfigError(f"suite {where}: no arms. Give [grid] an axis, or add [[arms]].")
    twice = sorted(name for name, times in Counter(a.name for a in arms).items() if times > 1)
    if twice:
        raise ConfigError(f"suite {where}: two arms are named '{twice[0]}'. Give one of them another name.")
    return arms


def _arm(name: str, tree: dict[str, Any], priority: int, smoke: bool, settings: Sequence[str], where: str) -> Arm:
    """An arm whose settings are known to be good."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"suite {where}: arm name '{name}': letters, digits and . _ + - only.")
    try:
        for setting in settings:
            tree |= flat(parse_setting(setting))
        for key in _OF_THE_SUITE:
            if key in tree:
                raise ConfigError(f"{key} stands at the top of the suite's file, for all arms.")
        preset, small = str(tree.pop("preset", "mini")), bool(tree.pop("smoke", False))
        arm = Arm(name, preset, small or smoke, tree, priority)
        if ALL in arm.config(seed=0).methods:
            raise ConfigError("methods = all is for coopt bench: a suite names its methods.")
    except CooptError as error:
        raise ConfigError(f"suite {where}: arm '{name}': {error}") from None
    return arm


Unchecked = tuple[str, dict[str, Any], int]
"""Name, settings over the base's, priority."""


def _grid(suite: Suite, where: str) -> Iterator[Unchecked]:
    """Every combination of the axes, the last one fastest. An axis with one value is no part of the name."""
    axes = [_axis(key, values, where) for key, values in flat(suite.grid).items()]
    if not axes:
        return
    for combination in itertools.product(*axes):
        named = [place for place, axis in zip(combination, axes, strict=True) if len(axis) > 1] or combination[:1]
        settings: dict[str, Any] = {}
        for _, own, _ in combination:
            settings |= own
        yield "-".join(name for name, _, _ in named), settings, sum(p for _, _, p in combination)


def _check_size(suite: Suite, where: str) -> None:
    """Refuse what nobody means to run before it is made: a few short axes have more combinations than memory has
    room."""
    arms = math.prod(len(values) if isinstance(values, list) else 1 for values in flat(suite.grid).values())
    benches = (arms + len(suite.arms)) * suite.seeds
    if benches > _MOST_BENCHES:
        raise ConfigError(f"suite {where}: {benches:,} benches (arms x seeds). Most: {_MOST_BENCHES:,}.")


def _axis(key: str, values: Any, where: str) -> list[Unchecked]:
    if not isinstance(values, list) or not values:
        raise ConfigError(f"suite {where}: grid.{key} = {values!r}: give a list of values, for example [1, 2].")
    if not any(isinstance(v, Mapping) for v in values):
        try:
            return [(_label(key, value), {key: value}, 0) for value in values]
        except CooptError as error:
            raise ConfigError(f"suite {where}: grid.{key}: {error}") from None
    return [_table(v, f"suite {where}: grid.{key}") for v in values]


def _named(suite: Suite, where: str) -> Iterator[Unchecked]:
    return (_table(table, f"suite {where}: arms") for table in suite.arms)


def _table(table: Any, where: str) -> Unchecked:
    """A table of settings with its name and, perhaps, its priority."""
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        raise ConfigError(f"{where}: {table!r}: give a table with a name and settings.")
    tree = dict(table)
    name, priority = tree.pop("name"), tree.pop("priority", 0)
    if not isinstance(priority, int):
        raise ConfigError(f"{where}: '{name}': priority = {priority!r}: give a whole number; higher runs earlier.")
    return name, flat(tree), priority


def _listed(value: Any) -> tuple[str, ...]:
    """A list, or a comma list."""
    if isinstance(value, str):
        return tuple(p.strip() for p in value.split(","))
    if not isinstance(value, list):
        raise ConfigError(f"{value!r}: give a list, or a comma list.")
    return tuple(value)


def _label(key: str, value: Any) -> str:
    """How a value of an axis is called in an arm's name: ``ring``, ``phys-chem``, ``steps50``."""
    if key == "domains":
        return "-".join(d[:4] for d in resolve_domains(value))
    if isinstance(value, str):
        text = Path(value).stem if key == "topology" else value
    elif isinstance(value, list):
        text = "-".join(map(str, value))
    else:
        text = f"{key.rpartition('.')[2]}{value}"
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)
