"""The settings of an entry, set against the command lines in its provenance: what a command says, the settings say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from coopt.core.config.identity import differences
from coopt.core.config.load import check, merge, parse_setting
from coopt.core.config.schema import ALL, Config
from coopt.core.errors import CooptError, EntryError
from coopt.core.names import resolve_domain, resolve_domains
from coopt.reports.leaderboard.entry import Entry, plain

_SETTINGS = {"--topology": "topology", "--nodes": "nodes", "--domains": "domains", "--preset": "preset",
             "--model": "model.path", "--data": "data.source", "--engine": "engine.kind"}  # fmt: skip
_PAIRS = ("--students", "--adversary")  # DOMAIN=DIR,DOMAIN=DIR; NODE:KIND
_SEEDS, _METHODS = ("--seed", "--seeds"), "--method"


def check_command(path: Path, entry: Entry, config: Config) -> None:
    """Every command of an entry that is a ``coopt bench``. Raises ``EntryError`` with the first setting that the
    command says otherwise. A setting that this coopt no longer has is passed over, and of paths the last part counts:
    an entry does not say where files lay."""
    for k, record in enumerate(entry.provenance):
        options = list(_options(record.arguments))
        if record.arguments[:1] == ["bench"] and "--smoke" in record.arguments and not config.smoke:
            raise EntryError(f"{path}: config.smoke is False, but the command in provenance.{k} says --smoke.")
        _check_growing(f"{path}: provenance.{k}.arguments", entry, config, dict(options))
        for said in _said(config, options):
            for key, (one, other) in differences((config, said), "seed", "seeds", "methods").items():
                if not _same(one, other):
                    raise EntryError(
                        f"{path}: config.{key} is {plain(repr(one))}, but the command in provenance.{k} says"
                        f" {plain(repr(other))}."
                    )


def _said(config: Config, options: Sequence[tuple[str, str]]) -> Iterator[Config]:
    """The settings with what a command says; where it says something that this coopt does not have, with each of the
    rest alone."""
    try:
        yield check(_laid_over(config, options))
    except CooptError:
        last = {(name, value.partition("=")[0] if name == "--set" else ""): (name, value) for name, value in options}
        for option in last.values():
            with suppress(CooptError):
                yield check(_laid_over(config, [option]))


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(option, value) of a ``coopt bench``; nothing of another command."""
    if not words or words[0] != "bench":
        return
    rest = iter(words[1:])
    for word in rest:
        name, found, value = word.partition("=")
        if name in (*_SETTINGS, *_PAIRS, *_SEEDS, _METHODS, "--set"):
            value = value if found else next(rest, "")
            if value:  # a command that is cut off would have been refused
                yield name, value


def _laid_over(config: Config, options: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The settings with what the options say: ``--set`` first, as in ``load_config``. Raises a ``CooptError``."""
    tree = config.model_dump(mode="json")
    for name, value in options:
        if name == "--set" and value.partition("=")[0].strip() not in ("seed", "seeds", "methods"):
            merge(tree, parse_setting(value))
    for name, value in options:
        if key := _SETTINGS.get(name):
            merge(tree, parse_setting(f"{key}={value}") if name != "--domains" else {"domains": value})
        elif name == "--adversary":
            merge(tree, {"adversary": dict([value.split(":", 1)])} if ":" in value else {})
        elif name == "--students":
            pairs = (part.partition("=") for part in value.split(",") if part.strip())
            merge(tree, {"model": {"students": {resolve_domain(d): where.strip() for d, _, where in pairs}}})
    tree["domains"] = resolve_domains(tree["domains"])
    return tree


def _check_growing(where: str, entry: Entry, config: Config, options: Mapping[str, str]) -> None:
    """A run may be given more methods and seeds later, and never fewer."""
    methods = {m.strip() for m in options.get(_METHODS, "").split(",") if m.strip()} - {ALL}
    if not methods <= set(config.methods):
        missing = plain(", ".join(sorted(methods - set(config.methods))))
        raise EntryError(f"{where}: --method names {missing}, which config.methods does not have.")
    first, count = (options.get(name, "") for name in _SEEDS)
    if first.isdecimal() and len(first) < 20 and int(first) not in entry.seeds:
        raise EntryError(f"{where}: --seed {first} is not among the entry's seeds {entry.seeds}.")
    if count.isdecimal() and len(count) < 20 and int(count) > len(entry.seeds):
        raise EntryError(f"{where}: --seeds {count}, but the entry has {len(entry.seeds)}.")


def _same(one: object, other: object) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return Path(one).name == Path(other).name
    return one == other
