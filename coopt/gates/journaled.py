"""A gate decision as the journal keeps it: with the noise of the scores that it read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from coopt.gates.base import Gate
from coopt.graph.topology import Edge, Topology
from coopt.metrics.accuracy import accuracy
from coopt.metrics.bootstrap import interval, resample_weights
from coopt.rng import generator

_DRAWS = 500  # enough for an interval; a decision is cheap but there may be many edges


def decide_edge(
    gate: Gate, edge: Edge, results: Mapping[str, Any], topology: Topology, draws: int, key: str
) -> dict[str, Any]:
    """The decision on an edge, the gap's 95 % bootstrap interval (validation questions resampled, jointly for
    all students), and the probability that a resample would decide otherwise.

    ``results``: student -> result of ``coopt.scoring.score_policy`` on the validation split.
    """
    scores = {s: accuracy(r) for s, r in results.items()}
    decision = gate.decide(edge, scores, topology)
    answer: dict[str, Any] = {**decision._asdict(), "gap_low": None, "gap_high": None, "flip": 0.0}
    if decision.gap is None:
        return answer
    resampled = _resampled_scores(results, min(draws, _DRAWS), key)
    others = [gate.decide(edge, s, topology) for s in resampled]
    gaps = [d.gap for d in others if d.gap is not None]
    answer["gap_low"], answer["gap_high"] = interval(np.asarray(gaps))
    answer["flip"] = float(np.mean([d.open != decision.open for d in others]))
    return answer


def _resampled_scores(results: Mapping[str, Any], draws: int, key: str) -> list[dict[str, dict[str, float]]]:
    students = list(results)
    names = list(results[students[0]]["domains"])
    means = {}
    for name in names:
        per_item = np.array([np.mean(results[s]["domains"][name]["correct"], axis=1) for s in students])
        weights = resample_weights(per_item.shape[1], draws, generator(key, name, "gate"))
        means[name] = per_item @ weights.T  # [students, draws]
    return [{s: {n: float(means[n][i, b]) for n in names} for i, s in enumerate(students)} for b in range(draws)]
