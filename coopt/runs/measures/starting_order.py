"""Who was strongest at the start."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coopt.core.statistics.design import Array


def by_rank(initial_NS: Array) -> NDArray[np.int64]:
    """Student numbers [ranks, seeds], the strongest of each seed first, from initial scores [students, seeds].

    Ties keep the file order.
    """
    return np.argsort(-initial_NS, axis=0, kind="stable")
