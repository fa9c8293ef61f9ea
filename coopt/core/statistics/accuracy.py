"""Accuracy of a score result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def accuracy(scores: Mapping[str, Any]) -> dict[str, float]:
    """Domain -> mean accuracy of a result of ``coopt.methods.scoring.score_policy``."""
    means = {}
    for name, domain in scores["domains"].items():
        rows = domain["correct"]
        means[name] = sum(map(sum, rows)) / sum(map(len, rows))
    return means


def best_of(rounds: Sequence[Mapping[str, float]]) -> int:
    """The round whose mean accuracy over domains is best, the last of equals; ``rounds`` from round 0."""
    return max(range(len(rounds)), key=lambda r: (sum(rounds[r].values()) / len(rounds[r]), r))
