"""From real runs to constants: estimates, intervals, what the data do not tell, and how well the rule explains them.

The constants are estimated in the order in which they need one another: questions, contexts, learning. Intervals are
percentiles over bootstrap draws in which whole students of a seed are resampled and everything is estimated again.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.errors import RunError
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval
from coopt.driver.simulate.constants import GROUPS, Constants, Fit, Learning, allowed_range, constant_keys
from coopt.driver.simulate.fit_contexts import fit_contexts
from coopt.driver.simulate.fit_items import Weights, fit_common, fit_items
from coopt.driver.simulate.fit_learning import RATES, Gains, fit_lump, fit_rates
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.observed import Cluster, Observed

DRAWS = 200
_PULL = 1e-5  # a rate that moves no gain by more than this, per unit, is not in the data
_WIDE = 0.9  # an interval over more than this share of the allowed range says nothing
_ITEM_START = np.array([10.0, 0.01, 0.01])


class Explained(NamedTuple):
    """How well predicted gains per round fit the measured ones, on one part of the data."""

    part: str
    gains: int
    r2: float
    rmse: float
    mean: float
    spread: float
    """Standard deviation of the measured gains: the error of predicting their mean."""


class Calibration(NamedTuple):
    """The constants, and how the fit went."""

    constants: Constants
    explained: list[Explained]
    clusters: int
    missing: int


def calibrate(observed: Observed, fallback: Constants, commit: str, draws: int | None = None) -> Calibration:
    """Fit every constant that these runs tell about; the others keep the values of ``fallback``.

    Raises ``RunError`` if the runs differ in their number of rollouts.
    """
    _check(observed)
    draws = draws or DRAWS
    clusters = sorted({s.cluster for s in observed.steps})
    everyone: Weights = dict.fromkeys(clusters, 1.0)
    free, silent = _free_rates(observed, fallback, clusters, draws)
    point = _estimate(observed, everyone, fallback, free)
    drawn: dict[str, list[float]] = {k: [] for k in point}
    for weights in _resampled(clusters, draws):
        for key, value in _estimate(observed, weights, fallback, free).items():
            drawn.setdefault(key, []).append(value)
    intervals = {k: interval(np.array(v)) for k, v in drawn.items() if v}
    unknown = silent | _not_identified(point, intervals)
    constants = _with(fallback, {**point, **({"learning.interference": 0.0} if "interference" not in free else {})})
    groups = _gains(observed, constants)
    explained = _explained(groups, constants.learning)
    fit = Fit(
        runs=tuple(observed.names),
        commit=commit,
        date=datetime.date.today().isoformat(),
        gains=explained[0].gains,
        r2=round(explained[0].r2, 4),
        rmse=round(explained[0].rmse, 5),
        mean_gain=_mean_gains(observed),
        intervals={k: (_round(low), _round(high)) for k, (low, high) in intervals.items()},
        not_identified=unknown,
    )
    return Calibration(constants.model_copy(update={"fit": fit}), explained, len(clusters), observed.missing)


def _check(observed: Observed) -> None:
    if len({s.rollouts for s in observed.steps}) > 1 or len({s.exclude_self for s in observed.steps}) > 1:
        raise RunError("--calibrate: the runs differ in rounds.rollouts or rounds.exclude_self. Calibrate on one kind.")


def _estimate(observed: Observed, weights: Weights, fallback: Constants, free: Sequence[str]) -> dict[str, float]:
    """Every constant that the data tell, from one weighting of the clusters."""
    found: dict[str, float] = {}
    if any(weights.get(p.cluster) for p in observed.probes):
        found |= fit_items(observed.probes, weights, _ITEM_START)
    if any(weights.get(p.cluster) for p in observed.pairs):
        found["items.common"] = fit_common(observed.pairs, weights)
    constants = _with(fallback, found)
    model = ItemModel(constants.items, observed.steps[0].rollouts)
    if any(weights.get(p.cluster) for p in observed.probes):
        found |= fit_contexts(observed.probes, weights, model)
    found |= _fit_start(observed, weights, model)
    constants = _with(fallback, {**found, **{f"learning.{k}": 0.0 for k in RATES if k not in free}})
    groups = _gains(observed, constants, model)
    rates = fit_rates(groups, weights, free, constants.learning).rates
    learning = constants.learning.model_copy(update=rates)
    return (
        found | {f"learning.{k}": v for k, v in rates.items()} | {"learning.lump": fit_lump(groups, weights, learning)}
    )


def _gains(observed: Observed, constants: Constants, model: ItemModel | None = None) -> list[Gains]:
    """The steps, those with the same number of domains together."""
    model = model or ItemModel(constants.items, observed.steps[0].rollouts)
    sizes = sorted({len(s.before_D) for s in observed.steps})
    parts = [[s for s in observed.steps if len(s.before_D) == size] for size in sizes]
    return [Gains.of(part, model, constants.contexts) for part in parts]


def _fit_start(observed: Observed, weights: Weights, model: ItemModel) -> dict[str, float]:
    """Mean and spread of the initial competences, native and foreign."""
    found = {}
    for name, native in (("native", True), ("foreign", False)):
        own = [s for s in observed.starts if s.native == native and weights.get(s.cluster, 0)]
        if own:
            theta = model.competence(np.array([s.score for s in own]))
            weight = np.array([weights[s.cluster] for s in own])
            mean = float(np.average(theta, weights=weight))
            found[f"start.{name}"] = mean
            few = weight.sum() / max(weight.sum() - 1, 1)
            found[f"start.{name}_sd"] = float(np.sqrt(few * np.average((theta - mean) ** 2, weights=weight)))
    return found


# -- what the data do not tell ---------------------------------------------------------------------


def _free_rates(
    observed: Observed, fallback: Constants, clusters: Sequence[Cluster], draws: int
) -> tuple[list[str], dict[str, str]]:
    """The rates to fit, and why the others are not: nothing in the data moves with them, or (interference) its
    interval includes zero."""
    everyone: Weights = dict.fromkeys(clusters, 1.0)
    point = _estimate(observed, everyone, fallback, RATES)
    constants = _with(fallback, point)
    groups = _gains(observed, constants)
    pull = fit_rates(groups, everyone, RATES, constants.learning).pull
    free = [k for k in RATES if pull[k] > _PULL]
    silent = {f"learning.{k}": "no gain in the data depends on it" for k in RATES if k not in free}
    if "interference" in free:
        found = [
            fit_rates(groups, w, free, constants.learning).rates["interference"] for w in _resampled(clusters, draws)
        ]
        low, high = interval(np.array(found))
        if low <= 0 <= high:
            free.remove("interference")
            silent["learning.interference"] = f"interval [{low:.2f}, {high:.2f}] includes 0; left out"
    return free, silent


def _not_identified(point: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> dict[str, str]:
    """Constants whose interval says nothing, and constants that these runs have no data for."""
    why = {}
    for key in constant_keys():
        bottom, top = allowed_range(key)
        if key not in point:
            if not key.startswith("learning."):
                why[key] = "these runs have no data on it"
            continue
        low, high = intervals[key]
        if high - low >= _WIDE * (top - bottom):
            why[key] = "its interval covers the allowed range"
        elif top not in (0.0, 1.0) and point[key] >= top - 1e-3 * (top - bottom):
            why[key] = "at the upper end of the allowed range: the data only say that it is large"
    return why


def _resampled(clusters: Sequence[Cluster], draws: int) -> list[dict[Cluster, float]]:
    counts = generator("calibrate").multinomial(len(clusters), np.full(len(clusters), 1 / len(clusters)), size=draws)
    return [dict(zip(clusters, map(float, row), strict=True)) for row in counts]


# -- how well it explains them ---------------------------------------------------------------------


def _explained(groups: Sequence[Gains], learning: Learning) -> list[Explained]:
    """On all gains, and on those with and without an open tutor."""
    measured = np.concatenate([g.gain_SD.ravel() for g in groups])
    predicted = np.concatenate([g.predicted(learning).ravel() for g in groups])
    tutored = np.concatenate([g.tutored_SD.ravel() for g in groups])
    trained = np.concatenate([(g.share_SD > 0).ravel() for g in groups])
    parts = {"all gains": trained, "with an open tutor": trained & tutored, "without": trained & ~tutored}
    return [explain(name, measured[p], predicted[p]) for name, p in parts.items() if p.sum() > 1]


def explain(part: str, measured: Floats, predicted: Floats) -> Explained:
    """R squared is against the mean of this part, so it may be negative."""
    error = float(((measured - predicted) ** 2).mean())
    spread = float(measured.std())
    r2 = 1 - error / spread**2 if spread > 0 else 0.0
    return Explained(part, len(measured), r2, float(np.sqrt(error)), float(measured.mean()), spread)


def _mean_gains(observed: Observed) -> dict[str, float]:
    """Mean change of the validation score from start to end, by method and over all."""
    gains: dict[str, list[float]] = {}
    for course in observed.courses:
        moved = (course.end_D - course.start_D).tolist()
        gains.setdefault(course.method, []).extend(moved)
        gains.setdefault("all", []).extend(moved)
    return {method: round(float(np.mean(values)), 5) for method, values in gains.items()}


def _with(constants: Constants, values: Mapping[str, float]) -> Constants:
    """The same constants with other values (keys such as ``items.slip``)."""
    groups = {}
    for group in GROUPS:
        own = {k.partition(".")[2]: _round(v) for k, v in values.items() if k.startswith(f"{group}.")}
        groups[group] = getattr(constants, group).model_copy(update=own)
    return constants.model_copy(update=groups)


def _round(value: float) -> float:
    """Five significant digits: what is committed is what was fitted."""
    return float(f"{value:.5g}")
