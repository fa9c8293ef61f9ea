"""A figure and what it is set against, measured in turn in the same run; its file and its line in the table."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import BaseModel, ConfigDict, model_validator

from coopt.core import store
from coopt.core.tables.table import Table
from coopt.runs.provenance import code_state, environment

T = TypeVar("T")
RESULTS = Path(__file__).with_name("results")


class Ratio(BaseModel):
    """``pairs``: (ours, theirs), in the order in which they were measured."""

    model_config = ConfigDict(extra="forbid")
    name: str
    """The benchmark's module and what it measured: ``decode/batch64``."""
    what: str
    against: str
    unit: str
    pairs: list[tuple[float, float]]
    lower_is_better: bool = True
    """Of ``unit``: seconds and bytes yes, tokens per second no."""
    at_least: float | None = None
    """The aim for how many times better than theirs ours is …"""
    at_most: float | None = None
    """… or for ours / theirs. At most one of them."""
    counts_times: bool = False
    """Whether ``ratios`` say how many times better ours is; an aim ``at_least`` says so too."""
    notes: list[str] = []

    @model_validator(mode="after")
    def _one_aim(self) -> Ratio:
        if self.at_least is not None and self.at_most is not None:
            raise ValueError(f"{self.name}: at_least or at_most, not both")
        if not self.pairs:
            raise ValueError(f"{self.name}: nothing was measured")
        return self

    @property
    def ratios(self) -> list[float]:
        """Of every pair: how many times better, or ours / theirs."""
        inverse = self.times_better and self.lower_is_better
        return [b / a if inverse else a / b for a, b in self.pairs]

    @property
    def times_better(self) -> bool:
        return self.counts_times or self.at_least is not None

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def higher_is_better(self) -> bool:
        """Of ``ratios``."""
        return self.times_better or not self.lower_is_better

    @property
    def met(self) -> bool | None:
        """None: nothing is aimed at."""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ratio <= self.at_most


class Measured(BaseModel):
    """What a benchmark's file holds."""

    machine: dict[str, Any]
    """Processor, cores, versions, commit, and the load average before it began: about 0 on an idle machine."""
    command: str
    seconds: float
    ratios: list[Ratio]


def in_turn(
    ours: Callable[[], float], theirs: Callable[[], float], pairs: int, warm_up: int = 1
) -> list[tuple[float, float]]:
    """What both measured, in turn, so that a slow minute of the machine slows both; they alternate in going first."""
    for _ in range(warm_up):
        ours(), theirs()
    found = []
    for k in range(pairs):
        if k % 2:
            b, a = theirs(), ours()
        else:
            a, b = ours(), theirs()
        found.append((a, b))
    return found


def in_fresh_process(function: Callable[..., T], *arguments: object) -> T:
    """What a function returns in a new process, whose memory is its own alone."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def machine() -> dict[str, Any]:
    state = code_state()
    load = round(psutil.getloadavg()[0], 1)
    return {"load": load, "commit": state["commit"], "changed": bool(state["dirty"]), **environment()}


def write(name: str, measured: Measured, folder: Path = RESULTS) -> Path:
    path = folder / f"{name}.json"
    store.write_json(path, measured.model_dump())
    return path


def read(path: Path) -> Measured:
    return Measured.model_validate(store.read_json(path))


def table(measured: dict[str, Measured]) -> Table:
    """One line a ratio. ``measured``: benchmark -> its file."""
    columns = ["what", "against", "ours", "theirs", "unit", "ratio", "range", "aim", "met", "command"]
    rows = [_row(ratio, file.command) for file in measured.values() for ratio in file.ratios]
    notes = [f"{r.name}: {note}" for file in measured.values() for r in file.ratios for note in r.notes]
    return Table("Speed and memory, each against a peer in the same run", columns, rows, notes)


def _row(r: Ratio, command: str) -> list[str]:
    ours, theirs = (statistics.median(side) for side in zip(*r.pairs, strict=True))
    n = len(r.pairs)
    spread = f"{number(min(r.ratios))}-{number(max(r.ratios))} ({n})" if n > 1 else "(1)"
    ratio = f"{number(r.ratio)} x better" if r.times_better else number(r.ratio)
    aim = (
        f"at least {r.at_least:g}" if r.at_least is not None else "–" if r.at_most is None else f"at most {r.at_most:g}"
    )
    met = {None: "–", True: "yes", False: "no"}[r.met]
    return [r.what, r.against, number(ours), number(theirs), r.unit, ratio, spread, aim, met, command]


def number(x: float) -> str:
    """Three digits that count."""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"
