"""Pareto improvement (paper Appendix A), as the point definition and as a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from coopt.metrics.bootstrap import Array


def pareto_improves(changes: Sequence[float]) -> bool:
    """No domain got worse and at least one got better."""
    return all(c >= 0 for c in changes) and any(c > 0 for c in changes)


Draws = NDArray[np.bool_]
"""One answer per bootstrap draw."""


def pareto_draws(changes_DB: Array) -> Draws:
    """The point definition in every bootstrap draw: booleans [draws] from changes [domains, draws]."""
    return np.asarray((changes_DB >= 0).all(axis=0) & (changes_DB > 0).any(axis=0))


def share(draws: Mapping[str, Draws]) -> float:
    """Expected share of students that improve."""
    return float(np.mean(list(draws.values())))


def mutual(draws: Mapping[str, Draws]) -> float:
    """Probability that every student improves in the same draw."""
    return float(np.logical_and.reduce(list(draws.values())).mean())
