"""A suite: a file that says which benches a sweep runs, and what it asks with them.

    question = "Does it matter who tutors whom?"
    seeds = 2                       # run seeds 0 and 1 of every arm

    [base]                          # settings of every arm, as in a preset; also preset and smoke
    preset = "mini"
    methods = ["opcod"]

    [grid]                          # every combination of these is an arm
    topology = ["ring", "star"]     # a setting and its values
    rounds.steps = [25, 50]
    size = [{ name = "small", nodes = 4 }, { name = "large", nodes = 8, priority = -1 }]    # settings that go together

    [[arms]]                        # arms beside the grid
    name = "alone"
    topology = "solo"

The file's name is the suite's name. ``docs/sweeps.md`` has the whole format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from coopt.core.config.faults import first_fault
from coopt.core.config.section import Section
from coopt.core.config.toml import read_toml
from coopt.core.errors import ConfigError, unknown
from coopt.core.resources import resource_dir


class Suite(Section):
    """What a suite file holds, as it is written there."""

    question: str = Field(min_length=1)
    """What the suite asks, in one sentence."""
    seed: int = Field(0, ge=0)
    """The first run seed of every arm."""
    seeds: int = Field(1, ge=1)
    """Run seeds of every arm."""
    base: dict[str, Any] = Field(default_factory=dict)
    """Settings of every arm."""
    grid: dict[str, Any] = Field(default_factory=dict)
    """Axes. A setting with its values, or any name with tables of settings that go together."""
    arms: list[dict[str, Any]] = Field(default_factory=list)
    """Arms beside the grid: a name, and settings over the base's."""


def suite_names() -> list[str]:
    """Names of the shipped suites."""
    return sorted(p.stem for p in resource_dir("benchmarks").glob("*.toml"))


def suite_path(name: str) -> Path:
    """The file of a shipped suite, or a file by path. Raises ``ConfigError``."""
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"suite {name}: no such file. Shipped: {', '.join(suite_names())}.")
        return path
    if name not in suite_names():
        raise ConfigError(unknown("suite", name, suite_names()) + " Or a file that ends in .toml.")
    return resource_dir("benchmarks") / f"{name}.toml"


def read_suite(path: Path) -> Suite:
    """A suite file, checked but for the settings in it (``arms``). Raises ``ConfigError`` in one line."""
    tree = read_toml(path, f"suite {path}", "coopt sweep --list shows those that are shipped.")
    try:
        return Suite.model_validate(tree)
    except ValidationError as error:
        fault, allowed = first_fault(error), Suite.model_fields
        if fault.kind == "extra_forbidden":
            hint = " Settings of every arm go into [base]." if fault.key not in ("name", "suite") else ""
            raise ConfigError(unknown("key", fault.key, allowed, f"suite {path}: ") + hint) from None
        if fault.kind == "missing":
            raise ConfigError(f"suite {path}: {fault.key} is missing. Allowed: {', '.join(allowed)}.") from None
        raise ConfigError(f"suite {path}: {fault.line}.") from None
