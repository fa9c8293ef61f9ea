"""From preset, files and flags to one checked ``Config``. Later sources win."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from coopt.core.config.faults import first_fault
from coopt.core.config.profiles import load_profile
from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.core.config.toml import read_toml
from coopt.core.config.ways import EMBEDDED
from coopt.core.errors import ConfigError, unknown
from coopt.core.names import resolve_domains
from coopt.core.outside.files import TooMuchError
from coopt.core.outside.parse import MOST_NESTED, parse_toml

_MOST_PHASES = 1_000_000  # of a student: each is some entries in a plan and in the tables
_PRESETS = Path(__file__).parent / "presets"
_OWN = ("preset", "smoke", "profile", "settings")
"""Keywords of ``load_config`` that are no fields."""


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(p.stem for p in _PRESETS.glob("*.toml"))


def preset_of(settings: Iterable[str] = (), *, data: str | None = None, model: str | None = None) -> str:
    """The preset of a command that names none: `mini` for the embedded world, else `real`."""
    own_rows = any(s.partition("=")[0].strip() == "data.mapping" for s in settings)
    return "mini" if data in (None, "scimini") and model in (None, *EMBEDDED) and not own_rows else "real"


_Section = Mapping[str, Any] | None


class Flags(TypedDict, total=False):
    """What ``load_config`` takes by name beside presets and ``settings``: a field of ``Config`` each. None: not given.
    A section is laid over what the preset says, key by key."""

    topology: str | None
    nodes: int | None
    adversary: Mapping[str, str] | None
    domains: str | Sequence[str] | None
    methods: str | Sequence[str] | None
    options: Mapping[str, Mapping[str, Any]] | None
    seed: int | None
    seeds: int | None
    model: _Section
    specialise: _Section
    world: _Section
    data: _Section
    rounds: _Section
    sampling: _Section
    loss: _Section
    teacher: _Section
    optimizer: _Section
    gate: _Section
    feedback: _Section
    critics: _Section
    engine: _Section
    break_rate: _Section
    record: _Section
    run: _Section
    parallel: _Section
    cluster: _Section
    tracking: _Section


def load_config(
    *,
    preset: str = "mini",
    smoke: bool = False,
    profile: str | None = None,
    settings: Iterable[str] = (),
    **flags: Unpack[Flags],
) -> Config:
    """The configuration of a run.

    Order, later wins: defaults, preset, the preset's ``[smoke]`` table, the cluster ``profile``, ``settings``
    (``key=value``, a dotted key), ``flags`` (None: not given). Raises ``ConfigError`` with one line.
    """
    for name in flags.keys() - Flags.__annotations__.keys():
        raise ConfigError(_unknown_keyword(name))
    tree = _preset(preset)
    smoke_tree = tree.pop("smoke", {})
    if smoke:
        merge(tree, smoke_tree)
    if profile is not None:
        merge(tree, {"cluster": load_profile(profile)})
    for setting in settings:
        own = parse_setting(setting)
        for name, value in (("preset", preset), ("smoke", smoke)):
            if own.get(name, value) != value:
                raise ConfigError(f"--set {name}={own[name]}: not a setting. Use --{name}.")
        merge(tree, own)
    merge(tree, {k: v for k, v in flags.items() if v is not None})
    tree |= {"preset": preset, "smoke": smoke}
    if "domains" in tree:
        tree["domains"] = resolve_domains(tree["domains"])
    if isinstance(tree.get("methods"), str):
        tree["methods"] = tuple(name.strip() for name in tree["methods"].split(",") if name.strip())
    return check(tree)


def check(tree: Mapping[str, Any]) -> Config:
    """Validate a tree of settings; the first fault becomes one line."""
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind == "extra_forbidden":
            key, inner = fault.key, fault.value
            while isinstance(inner, Mapping) and inner:  # an unknown section: name the key inside it
                name, inner = next(iter(inner.items()))
                key = f"{key}.{name}"
            raise ConfigError(_unknown_key(key)) from None
        raise ConfigError(f"setting {fault.line}.") from None
    phases = config.seeds * config.rounds.rounds * max(1, len(config.methods))
    if phases > _MOST_PHASES:
        raise ConfigError(
            f"seeds = {config.seeds:,} and rounds.rounds = {config.rounds.rounds:,} make {phases:,} phases (seeds x"
            f" rounds x methods). Most: {_MOST_PHASES:,}."
        )
    return config


def setting_keys(section: type[Section] = Config, prefix: str = "") -> list[str]:
    """All dotted keys that ``--set`` takes."""
    keys: list[str] = []
    for name, field in section.model_fields.items():
        inner = _section_of(field)
        keys += setting_keys(inner, f"{prefix}{name}.") if inner else [prefix + name]
    return keys


def _section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _unknown_key(key: str) -> str:
    keys = setting_keys()
    leaf = key.rsplit(".", 1)[-1]
    same_leaf = [k for k in keys if k.rsplit(".", 1)[-1] == leaf]
    if same_leaf:
        return f"unknown setting '{key}'. Did you mean '{same_leaf[0]}'? All settings: coopt env --settings."
    return unknown("setting", key, keys)


def _unknown_keyword(name: str) -> str:
    where = [key for key in setting_keys() if key.rpartition(".")[2] == name]
    if where:
        return f"load_config has no keyword '{name}'. Did you mean settings=['{where[0]}=...']?"
    return unknown("keyword", name, (*_OWN, *Flags.__annotations__), "load_config: ")


def _preset(name: str) -> dict[str, Any]:
    """The settings of a shipped preset, or of a TOML file of the same form, over those of the one that it extends."""
    tree = _read_preset(name)
    if "extends" not in tree:
        return tree
    below = _read_preset(str(tree.pop("extends")))
    if "extends" in below:
        raise ConfigError(f"--preset {name} extends one that extends another. One level is enough.")
    merge(below, tree)
    return below


def _read_preset(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        return read_toml(Path(name), f"--preset {name}", f"Shipped: {', '.join(preset_names())}.")
    if name not in preset_names():
        raise ConfigError(unknown("preset", name, preset_names()))
    return read_toml(_PRESETS / f"{name}.toml", f"--preset {name}", "Install coopt again.")


def parse_setting(setting: str) -> dict[str, Any]:
    """The tree of one ``key=value``: a dotted key, a value as TOML writes it, or a bare word."""
    key, found, raw = setting.partition("=")
    if not found or not key.strip():
        raise ConfigError(f"--set takes key=value, for example rounds.steps=50; got '{setting}'.")
    try:
        value = parse_toml(f"value = {raw}")["value"]
    except TooMuchError as error:
        raise ConfigError(f"--set {key.strip()[:60]}: {error}.") from None
    except (ValueError, KeyError):
        value = raw  # a bare word is a string
    tree: dict[str, Any] = {}
    node = tree
    *parents, leaf = key.strip().split(".")
    if len(parents) > MOST_NESTED:
        raise ConfigError(
            f"--set {key.strip()[:60]}...: a key of {len(parents) + 1:,} parts. Keys: coopt env --settings."
        )
    for parent in parents:
        node = node.setdefault(parent, {})
    node[leaf] = value
    return tree


def merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Lay one tree of settings over another, key by key."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value
