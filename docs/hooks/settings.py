"""The reference of settings, from the schema itself: names, types, bounds, defaults, meanings; and what presets change.

A setting without a meaning, which is the docstring under it, fails the build.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import griffe
from mkdocs.exceptions import PluginError
from pydantic.fields import FieldInfo

from coopt.core.config.load import load_config, preset_names, setting_keys
from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.methods.registry import all_methods

MARK, PRESETS, OPTIONS = "<!-- settings -->", "<!-- presets -->", "<!-- options of methods -->"
WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    if MARK not in markdown:
        return markdown
    text = markdown.replace(MARK, "\n\n".join(sections(Config)))
    return text.replace(PRESETS, presets()).replace(OPTIONS, options())


def sections(section: type[Section], prefix: str = "") -> Iterator[str]:
    """A heading and a table for a section, then for those in it."""
    inner = {name: f.annotation for name, f in section.model_fields.items() if is_section(f.annotation)}
    own = {name: f for name, f in section.model_fields.items() if name not in inner}
    about = (section.__doc__ or "").strip()
    yield "\n".join([f"## {prefix.rstrip('.') or 'The run'}", "", about, "", *table(section, own, prefix)])
    for name, kind in inner.items():
        yield from sections(kind, f"{prefix}{name}.")


def table(section: type[Section], fields: Mapping[str, FieldInfo], prefix: str) -> Iterator[str]:
    yield "| setting | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        default = getattr(section(), name)
        meaning = cell(meanings(section).get(name) or _without(f"{prefix}{name}"))
        what = cell(kind(field.annotation) + bounds(field.metadata))
        yield f"| `{prefix}{name}` | {what} | {value(default)} | {meaning} |"


def _without(key: str) -> str:
    raise PluginError(f"setting {key} has no docstring: say what it means")


@cache
def meanings(section: type[Section]) -> dict[str, str]:
    """Field -> the docstring under it, here or in a class above."""
    told: dict[str, str] = {}
    for kind in [k for k in reversed(section.__mro__) if issubclass(k, Section)]:
        found: Any = _coopt()[f"{kind.__module__}.{kind.__qualname__}".removeprefix("coopt.")]
        told |= {name: member.docstring.value for name, member in found.members.items() if member.docstring}
    return told


@cache
def _coopt() -> Any:
    """The package as its source says, not imported."""
    return griffe.load("coopt", search_paths=["."])


def kind(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{v}`" for v in inner)
    if origin in (Union, types.UnionType):
        words = [kind(a) for a in inner if a is not type(None)]
        return " or ".join(words) + (", or none" if type(None) in inner else "")
    if origin is Annotated:
        return kind(inner[0]) + bounds([m for more in inner[1:] for m in getattr(more, "metadata", [more])])
    if origin is tuple:
        return f"list of: {kind(inner[0])}" if Ellipsis in inner else f"{len(inner)} of: {kind(inner[0])}"
    if origin is dict:
        return f"table: {kind(inner[0])} to {kind(inner[1])}"
    return WORDS[annotation]


def bounds(metadata: list[Any]) -> str:
    found = [f"{sign} {getattr(m, name)}" for m in metadata for name, sign in SIGNS.items() if hasattr(m, name)]
    return " " + ", ".join(found) if found else ""


def presets() -> str:
    """Settings whose value differs from the default in a preset."""
    names = [(p, smoke) for p in preset_names() for smoke in (False, True)]
    configs = {f"`{p}`" + (" `--smoke`" if smoke else ""): load_config(preset=p, smoke=smoke) for p, smoke in names}
    plain = Config()
    rows = ["| setting | default | " + " | ".join(configs) + " |", "|---" * (2 + len(configs)) + "|"]
    for key in (k for k in setting_keys() if k not in ("preset", "smoke")):
        usual, found = read(plain, key), [read(c, key) for c in configs.values()]
        if any(v != usual for v in found):
            cells = [value(v) if v != usual else "" for v in found]
            rows.append(f"| `{key}` | {value(usual)} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def options() -> str:
    """The settings of methods."""
    rows = ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, method in sorted(all_methods().items()):
        rows += list(table(method.Options, method.Options.model_fields, f"options.{name}."))[2:]
    return "\n".join(rows)


def read(config: Config, key: str) -> Any:
    return reduce(getattr, key.split("."), config)


def value(setting: Any) -> str:
    if setting in (None, "", (), {}):
        return "none" if setting is None else "empty"
    return f"`{cell(json.dumps(setting, ensure_ascii=False))}`"


def cell(text: str) -> str:
    """Text that stays in its cell of a table, and is no markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)
