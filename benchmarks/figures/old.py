"""Folders that hold results without answers. The intervals of version 1 leave seeds and shared facts out, so of those
there are points alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures.figure import Figure, Figures
from benchmarks.figures.results import figures_of
from coopt.core import store
from coopt.runs.results import Results

_POINTS = ("point", "whole", "per-seed", "size", "raw", "of", "percent", "percent1", "percent2", "part", "words", "n")
"""Forms that say nothing beyond what was seen."""


def read_old(folder: Path) -> Results:
    """The ``results.json`` of a folder as it lies there; of version 1 in the form of now."""
    tree = dict(store.read_json(folder / "results.json"))
    if tree["version"] > 1:
        return Results.model_validate(tree)
    tree["version"] = 2
    tree["pareto"] = [_without(c, "shown") | {"verdict": "not settled"} for c in tree["pareto"]]
    tree["standings"] = [_without(c, "rank_low", "rank_high") | {"rank_last": 0} for c in tree.get("standings", [])]
    tree["break_rates"] = [c | {"rates": _rates(c["rates"])} for c in tree["break_rates"]]
    return Results.model_validate(tree)


def figures_in(folder: Path) -> Figures:
    """What the results of a folder say, by name."""
    results = read_old(folder)
    return old_figures(results) if store.read_json(folder / "results.json")["version"] == 1 else figures_of(results)


def old_figures(results: Results) -> Figures:
    """The points among the figures of old results."""
    return {name: partial(_points, make) for name, make in figures_of(results).items()}


def _points(make: Any) -> Figure:
    figure: Figure = make()
    return Figure({k: v for k, v in figure.forms.items() if k in _POINTS}, figure.number, parts=figure.parts)


def _without(tree: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {k: v for k, v in tree.items() if k not in names}


def _rates(rates: Mapping[str, Any]) -> dict[str, Any]:
    """A rate was its answers, value and interval; of how many questions, and what it is beyond its control, was not
    written down."""
    unknown = {f"{name}_more": {"answers": 0, "questions": 0} for name in ("break", "fix")}
    return unknown | {
        name: {"answers": n, "questions": 0, "rate": rate, "low": low, "high": high}
        for name, (n, rate, low, high) in rates.items()
    }
