"""A suite's grid of two knobs as a map: in every cell one method minus another, with its interval over seeds and
questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coopt.core.config.toml import flat
from coopt.core.errors import ConfigError
from coopt.core.outside.files import read_bytes
from coopt.core.outside.parse import parse_toml
from coopt.driver.sweep.arms import make_arms
from coopt.driver.sweep.cells import Cell, make_cells
from coopt.driver.sweep.results import read_cells
from coopt.driver.sweep.suite import read_suite, suite_path

PREREGISTERED = Path(__file__).with_name("preregistered.toml")
Sign = Literal["above", "below", "open"]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One method minus another, and what was expected of it before the runs."""

    method: str
    baseline: str
    expected: str

    @property
    def name(self) -> str:
        return f"{self.method} - {self.baseline}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What was fixed of a map before it was run."""

    suite: str
    axes: tuple[str, str]
    """Dotted settings: across, and up."""
    box: tuple[tuple[float, float], tuple[float, float]]
    """The natural range of either, from probes of real models or counted rows; cells inside are the natural box."""
    contrasts: tuple[Contrast, ...]

    def natural(self, place: tuple[float, float]) -> bool:
        return all(low <= at <= high for at, (low, high) in zip(place, self.box, strict=True))


@dataclass(frozen=True, kw_only=True)
class Found:
    """A contrast in a cell: a difference of scores (1 is a hundred points) with its 95 % interval; its seeds."""

    contrast: Contrast
    place: tuple[float, float]
    value: float
    low: float
    high: float
    seeds: Sequence[int]

    @property
    def sign(self) -> Sign:
        return "above" if self.low > 0 else "below" if self.high < 0 else "open"


def plans(path: Path = PREREGISTERED) -> Mapping[str, Plan]:
    """Suite -> its map. Raises ``ConfigError`` where a suite is no longer as it was when the map was fixed."""
    tree: dict[str, Any] = parse_toml(read_bytes(path, None).decode())
    found = {}
    for name, fixed in tree["maps"].items():
        if fixed["sha256"] != (now := hash_of(suite_path(name))):
            raise ConfigError(f"{path}: suite {name} is no longer what was fixed (sha256 {now}).")
        x, y = fixed["axes"]
        contrasts = tuple(Contrast(**c) for c in fixed["contrasts"])
        found[name] = Plan(
            suite=name, axes=(x, y), box=(tuple(fixed["box"][x]), tuple(fixed["box"][y])), contrasts=contrasts
        )
    return found


def hash_of(path: Path) -> str:
    return hashlib.sha256(read_bytes(path, None)).hexdigest()


def cells_of(plan: Plan, sweep: Path) -> list[Cell]:
    """Every cell of the map in a sweep's folder, with the seeds that were fixed."""
    suite = read_suite(suite_path(plan.suite))
    return make_cells(make_arms(suite, plan.suite), range(suite.seed, suite.seed + suite.seeds), sweep)


def read_map(plan: Plan, cells: Sequence[Cell]) -> list[Found]:
    """All contrasts of all cells that have a finished seed. Raises ``RunError``."""
    places = {c.arm.name: tuple(float(flat(dict(c.arm.settings))[axis]) for axis in plan.axes) for c in cells}
    found = []
    for state in read_cells(cells).states:
        if state.found is None:
            continue
        by_name = {(c.method, c.baseline): c for c in state.found.results.comparisons if c.student == "all"}
        for contrast in plan.contrasts:
            way, sign = (contrast.method, contrast.baseline), 1
            if way not in by_name:
                way, sign = way[::-1], -1
            cell = by_name[way]
            ends = sorted((sign * cell.low, sign * cell.high))
            x, y = places[state.arm]
            found.append(Found(contrast=contrast, place=(x, y), value=sign * cell.difference, low=ends[0], high=ends[1],
                               seeds=state.found.results.seeds))  # fmt: skip
    return found
