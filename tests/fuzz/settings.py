"""Settings: on the command line, and in TOML files of every kind."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from coopt.core.config.load import load_config, preset_names, setting_keys
from coopt.core.config.toml import flat
from coopt.core.resources import resource_dir
from coopt.domains.mapping import schema as mappings
from coopt.driver.plan.assumed import parse_assumed
from coopt.driver.simulate.constants import SHIPPED, constant_keys, load_constants
from coopt.driver.sweep.arms import make_arms
from coopt.driver.sweep.suite import read_suite
from tests.fuzz.mutate import ODD, mutated, text_mutated, toml_of
from tests.fuzz.rule import BrokenError, refused

PACKAGE = Path(mappings.__file__).parents[2]
_VALUES = (
    "3",
    "0.5",
    "true",
    "[1, 2]",
    '"a"',
    "phys,chem",
    "{a = 1}",
    "inf",
    "nan",
    "-1",
    "0x10",
    "1_000",
    "2024-01-01",
)


def option(random: Random, folder: Path) -> bool:
    """``--set KEY=VALUE``, ``--assume`` and ``--constant``."""
    raw = random.choice((*_VALUES, *map(json.dumps, ODD), *(str(x) for x in ODD)))
    if random.random() < 0.3:
        raw = text_mutated(raw, random).decode("utf-8", "replace")
    kind = random.randrange(10)
    if kind == 0:
        return refused(lambda: parse_assumed([f"{random.choice(('generate', 'train', 'prompt', 'x'))}={raw}"]))
    if kind == 1:
        key = random.choice((*constant_keys(), "items", "", "fit.runs"))
        return refused(lambda: load_constants(None, [f"{key}={raw}"]))
    key = random.choice(setting_keys())
    if random.random() < 0.2:
        key = text_mutated(key, random).decode("utf-8", "replace")
    return refused(
        lambda: _check_numbers(load_config(settings=[f"{key}={raw}"]).model_dump(), {key.strip(): _value(raw)})
    )


def _value(raw: str) -> Any:
    try:
        return tomllib.loads(f"value = {raw}")["value"]
    except ValueError:
        return raw


def _check_numbers(found: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """A number is read as that number."""
    read = flat(found)
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or key not in read:
            continue
        if read[key] != value and not (isinstance(read[key], float) and read[key] == float(value)):
            raise BrokenError(f"{key} = {value!r} was read as {read[key]!r}")


def file_of(sources: list[Path], read: Callable[[Path, dict[str, Any] | None], Any]) -> Callable[[Random, Path], bool]:
    """A target: one of the files, mutated. ``read`` gets also its tables, if it has any."""

    def target(random: Random, folder: Path) -> bool:
        text = random.choice(sources).read_text()
        if random.random() < 0.7:
            text = toml_of(mutated(tomllib.loads(text), random))
        content = text.encode(errors="replace") if random.random() < 0.7 else text_mutated(text, random)
        path = folder / "given.toml"
        path.write_bytes(content)
        try:
            tree = tomllib.loads(content.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            tree = None
        return refused(lambda: _accepted(read(path, tree), tree))

    return target


def _accepted(found: Any, tree: dict[str, Any] | None) -> None:
    if tree is None:
        raise BrokenError(f"what is no TOML was read as {found!r:.300}")


def _preset(path: Path, tree: dict[str, Any] | None) -> Any:
    config = load_config(preset=str(path))
    if tree is not None:
        _check_numbers(config.model_dump(), flat({k: v for k, v in tree.items() if k not in ("smoke", "extends")}))
    return config


def _profile(path: Path, tree: dict[str, Any] | None) -> Any:
    config = load_config(profile=str(path))
    _check_numbers(config.cluster.model_dump(), flat(tree or {}))
    return config


def _suite(path: Path, tree: dict[str, Any] | None) -> Any:
    suite = read_suite(path)
    _check_numbers(suite.model_dump(), {k: v for k, v in (tree or {}).items() if k in ("seed", "seeds")})
    return make_arms(suite, str(path))


def _constants(path: Path, tree: dict[str, Any] | None) -> Any:
    found = load_constants(path)
    _check_numbers(found.model_dump(), flat({k: v for k, v in (tree or {}).items() if k != "fit"}))
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml"))


def targets() -> Iterator[tuple[str, int, Callable[[Random, Path], bool]]]:
    """Name, weight, and what does one case."""
    presets = [PACKAGE / "core" / "config" / "presets" / f"{name}.toml" for name in preset_names()]
    yield "set", 4, option
    yield "preset", 3, file_of(presets, _preset)
    yield "profile", 1, file_of(_files(resource_dir("slurm")), _profile)
    yield "suite", 2, file_of(_files(resource_dir("benchmarks")), _suite)
    yield (
        "mapping",
        2,
        file_of(_files(PACKAGE / "domains/mapping/shipped"), lambda path, _: mappings.load_mapping(str(path))),
    )
    yield "constants", 3, file_of([SHIPPED], _constants)
