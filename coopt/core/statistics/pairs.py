"""Every two of many, compared at once: what ``verdicts.corrected`` says of all their differences, as matrices.

A variance of a difference a - b is V(a) + V(b) - 2 C(a, b), so that one product of matrices holds those of all pairs
(``crossed`` says what they are for). Holm's procedure needs no p-values: it is followed from threshold to threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from coopt.core.statistics.crossed import ALPHA, LEAST_CLUSTERS, LEAST_SEEDS, NOTHING, ROUNDING
from coopt.core.statistics.design import Array, Design
from coopt.core.statistics.verdicts import LEAST_QUESTIONS

Bools = NDArray[np.bool_]


def shown_better(values: Sequence[Array], seeds: Sequence[Sequence[int]], design: Design) -> Bools:
    """[N, N]: whether the row is shown to be better than the column, Holm over all pairs.

    ``values``: of each, [its seeds, questions of ``design``]; ``seeds``: of each. Two with the same seeds are compared
    seed by seed, others as groups that have nothing to do with one another (``crossed.apart``).
    """
    count = len(values)
    average_NQ = np.array([v.mean(axis=0) for v in values])
    mean_N = design.mean(average_NQ)
    apart_NN = mean_N[:, None] - mean_N[None]
    if count < 2 or design.questions < LEAST_QUESTIONS:
        return np.zeros((count, count), dtype=bool)
    groups: dict[tuple[int, ...], list[int]] = {}
    for k, own in enumerate(seeds):
        groups.setdefault(tuple(own), []).append(k)
    rest_N = np.array([_of_rest(v, design) for v in values])
    rest_NN = rest_N[:, None] + rest_N[None]
    alike_NN = apart_NN > 0
    together = []
    for own in groups.values():
        block = np.ix_(own, own)
        values_NSQ = np.array([values[k] for k in own])
        rest_NN[block] = _rest_of_pairs(values_NSQ, design)
        means_NS = design.mean(values_NSQ)
        alike_NN[block] &= (means_NS[:, None] > means_NS[None]).all(axis=2)
        together.append((block, means_NS))
    of_questions_NN = _of_differences(average_NQ, design) - rest_NN
    of_questions_NN = np.where(of_questions_NN > NOTHING, of_questions_NN, 0.0)
    of_questions_NN = np.maximum(of_questions_NN, (LEAST_CLUSTERS / design.clusters) ** 2)
    own_seeds = [(float(design.mean(v).var(ddof=1)) / len(v) if len(v) > 1 else np.inf, len(v) - 1) for v in values]

    def below(alpha: float) -> Bools:
        """Whose p is below ``alpha``."""
        t_N = np.array([stdtrit(max(df, 1), alpha / 2) ** 2 * v for v, df in own_seeds])
        square_NN = t_N[:, None] + t_N[None]
        for block, means_NS in together:
            square_NN[block] = _of_seeds(means_NS, alpha)
        square_NN += stdtrit(design.df, alpha / 2) ** 2 * of_questions_NN
        found: Bools = (square_NN < apart_NN**2) & (np.abs(apart_NN) >= ROUNDING)
        return found

    return _holm(below, count * (count - 1) // 2) & alike_NN


def _holm(below: Callable[[float], Bools], family: int) -> Bools:
    """Rejected by Holm's procedure: with r rejected, those whose p is below alpha / (family - r) are."""
    rejected, found = 0, below(ALPHA / family)
    while int(found.sum()) // 2 > rejected:
        rejected = int(found.sum()) // 2
        found = below(ALPHA / max(family - rejected, 1))
    return found


def _of_seeds(means_NS: Array, alpha: float) -> Array:
    """Of every two with the same seeds, t^2 times the variance of what the seeds' means differ by."""
    count = means_NS.shape[1]
    if count < LEAST_SEEDS:
        return np.zeros((len(means_NS), len(means_NS)))
    centred_NS = means_NS - means_NS.mean(axis=1, keepdims=True)
    variance_NN = _spread(centred_NS @ centred_NS.T) / ((count - 1) * count)
    found: Array = stdtrit(count - 1, alpha / 2) ** 2 * variance_NN
    return found


def _of_rest(values_SQ: Array, design: Design) -> float:
    """What one's own seeds' residuals contribute (``crossed.apart``)."""
    count = len(values_SQ)
    if count < 2:
        return 0.0
    own_SQ = values_SQ - values_SQ.mean(axis=0)
    return sum(design.variance(own_Q) for own_Q in own_SQ) / (count * (count - 1))


def _rest_of_pairs(values_NSQ: Array, design: Design) -> Array:
    """The same of every two with the same seeds."""
    many, count, _ = values_NSQ.shape
    found = np.zeros((many, many))
    if count >= LEAST_SEEDS:
        own_NSQ = values_NSQ - values_NSQ.mean(axis=1, keepdims=True)
        for k in range(count):
            found += _of_differences(own_NSQ[:, k], design) / (count * (count - 1))
    return found


def _of_differences(values_NQ: Array, design: Design) -> Array:
    """``design.variance`` of every two's difference [N, N]."""
    rest_NQ = np.array([design.centred(v) for v in values_NQ])
    shared_NN = design.scale * (rest_NQ @ (design.pairs_QQ @ rest_NQ.T))
    alone_NN = (rest_NQ * design.alone_Q) @ rest_NQ.T
    found: Array = np.maximum(_spread(shared_NN), _spread(alone_NN))
    return found


def _spread(products_NN: Array) -> Array:
    """|a - b|^2 of every two, of the products ab."""
    own_N = products_NN.diagonal()
    found: Array = own_N[:, None] + own_N[None] - products_NN - products_NN.T
    return found
