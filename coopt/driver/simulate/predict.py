"""Held-out check: the simulator plays runs that it was not fitted to, from their own starts, and is scored.

Predicted and measured is each student's change of validation score from start to end, domain by domain. Two naive
predictors are scored beside it: no change, and the mean gain of the calibration runs (of the same method where they
had it, else over all methods).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coopt.core.arrays import Floats
from coopt.core.errors import RunError
from coopt.core.rng import generator
from coopt.core.statistics.bootstrap import interval, resample_weights
from coopt.driver.simulate.constants import Constants
from coopt.driver.simulate.deciding import OPCOD
from coopt.driver.simulate.dynamics import World, simulate
from coopt.driver.simulate.observed import Course
from coopt.driver.simulate.population import draw_competences
from coopt.driver.simulate.reading import graph_of, read_runs
from coopt.runs.run import Run

REPLICATES = 40
"""Simulated runs per real one: a prediction is their mean."""
SIMULATOR, NO_CHANGE, MEAN_GAIN = "simulator", "no change", "mean gain"


class Prediction(NamedTuple):
    """One student, domain, method and seed of a real run."""

    run: str
    topology: str
    seed: int
    method: str
    student: str
    domain: str
    native: bool
    measured: float
    predicted: dict[str, float]
    """Predictor -> predicted gain."""
    low: float
    high: float
    """Middle 95 % of the simulated gains."""


class PredictionScore(NamedTuple):
    """Errors of the predictors on some predictions, and whether the simulator beats the better naive one."""

    part: str
    gains: int
    measured: float
    predicted: float
    errors: dict[str, float]
    """Predictor -> root mean squared error."""
    covered: float
    """Share of measured gains in the middle 95 % of the simulated ones."""
    advantage: float
    """RMSE of the better naive predictor minus the simulator's."""
    low: float | None
    high: float | None
    """Its interval: seeds resampled; None where there is one seed only."""
    verdict: str


def predict_runs(
    directories: Sequence[str | Path], constants: Constants, replicates: int = REPLICATES
) -> list[Prediction]:
    """Predictions for every finished method and seed of these runs. Raises ``RunError``."""
    found: list[Prediction] = []
    for directory in directories:
        courses = read_runs([directory]).courses
        if not courses:
            raise RunError(f"{directory}: no method has reached its last round. Run its coopt bench command again.")
        run = Run.open(directory)
        for seed in sorted({c.cluster[1] for c in courses}):
            world = World(graph_of(run, seed), run.config, constants)
            found += _seed(world, [c for c in courses if c.cluster[1] == seed], seed, replicates)
    return found


def _seed(world: World, courses: Sequence[Course], seed: int, replicates: int) -> list[Prediction]:
    start_ND = _start(world, courses, seed)
    methods = list(dict.fromkeys(c.method for c in courses))
    gains: dict[str, list[Floats]] = {m: [] for m in methods}
    for k in range(replicates):
        rate = None
        for method in methods:
            played = simulate(world, method, 1000 * seed + k, matched_rate=rate, start_ND=start_ND, lucky=False)
            gains[method].append(played.measured_RND[-1].astype(float) - played.measured_RND[0])
            if method == OPCOD:
                rate = played.open_share
    place = {n: k for k, n in enumerate(world.nodes.names)}
    return [
        cell
        for course in courses
        for cell in _cells(world, course, np.array(gains[course.method])[:, place[course.cluster[2]]])
    ]


def _start(world: World, courses: Sequence[Course], seed: int) -> Floats:
    """Competences as measured at the start; critics as the model draws them."""
    start_ND = draw_competences(world.nodes, world.constants.start, seed)
    for course in courses:
        start_ND[world.nodes.names.index(course.cluster[2])] = world.model.competence(course.start_D)
    return start_ND


def _cells(world: World, course: Course, gains_KD: Floats) -> list[Prediction]:
    run, seed, student = course.cluster
    means = world.constants.fit.mean_gain
    cells = []
    for d, domain in enumerate(world.config.domains):
        low, high = interval(gains_KD[:, d])
        naive = means.get(course.method, means.get("all", 0.0))
        cells.append(
            Prediction(
                run=run,
                topology=world.topology.name,
                seed=seed,
                method=course.method,
                student=student,
                domain=domain,
                native=d == course.native,
                measured=float(course.end_D[d] - course.start_D[d]),
                predicted={SIMULATOR: float(gains_KD[:, d].mean()), NO_CHANGE: 0.0, MEAN_GAIN: naive},
                low=low,
                high=high,
            )
        )
    return cells


def score(predictions: Sequence[Prediction], draws: int = 2000) -> list[PredictionScore]:
    """Scores on everything, by topology and method, and by native and foreign domain."""
    parts: dict[str, list[Prediction]] = {"all": list(predictions)}
    for p in predictions:
        parts.setdefault(f"{p.topology}, {p.method}", []).append(p)
    for p in predictions:
        parts.setdefault("native domain" if p.native else "foreign domains", []).append(p)
    return [_score(name, part, draws) for name, part in parts.items()]


def _score(name: str, part: Sequence[Prediction], draws: int) -> PredictionScore:
    measured = np.array([p.measured for p in part])
    squared = {k: (np.array([p.predicted[k] for p in part]) - measured) ** 2 for k in part[0].predicted}
    errors = {k: float(np.sqrt(v.mean())) for k, v in squared.items()}
    naive = min((NO_CHANGE, MEAN_GAIN), key=errors.__getitem__)
    low, high = _advantage_interval(part, squared[naive], squared[SIMULATOR], draws)
    better = "simulator better" if low is not None and low > 0 else "no difference shown"
    return PredictionScore(
        part=name,
        gains=len(part),
        measured=float(measured.mean()),
        predicted=float(np.mean([p.predicted[SIMULATOR] for p in part])),
        errors=errors,
        covered=float(np.mean([p.low <= p.measured <= p.high for p in part])),
        advantage=errors[naive] - errors[SIMULATOR],
        low=low,
        high=high,
        verdict=f"simulator loses to {naive}" if errors[naive] < errors[SIMULATOR] else better,
    )


def _advantage_interval(
    part: Sequence[Prediction], naive: Floats, simulator: Floats, draws: int
) -> tuple[float | None, float | None]:
    """Interval of the difference of root mean squared errors; a seed is one cluster, because runs of one seed on other
    graphs start from the same students."""
    _, cluster = np.unique([p.seed for p in part], return_inverse=True)
    count = np.bincount(cluster)
    if len(count) < 2:
        return None, None
    weights = resample_weights(len(count), draws, generator("predict", len(part)))
    total = weights @ count
    roots = [np.sqrt(weights @ np.bincount(cluster, e) / total) for e in (naive, simulator)]
    return interval(roots[0] - roots[1])
