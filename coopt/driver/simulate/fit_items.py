"""Maximum likelihood of the item constants: from the rollouts of the probes, and from pairs of students' answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, xlog1py, xlogy
from scipy.stats import norm

from coopt.core.arrays import Floats
from coopt.driver.simulate.constants import allowed_range
from coopt.driver.simulate.items import LIMIT, quadrature
from coopt.driver.simulate.observed import Cluster, Pair, Probe

Weights = Mapping[Cluster, float]
"""How often a cluster is counted: 1 each for the fit, bootstrap draws for its intervals."""
_LOGIT_TO_PROBIT = 1.702  # expit(1.702 x) is the normal distribution function to 0.01
_NODES = 400


def fit_items(probes: Sequence[Probe], weights: Weights, start: Floats) -> dict[str, float]:
    """Steepness, guess and slip from the numbers of right rollouts before feedback. ``start``: where to begin [3].

    A student's competence in a domain is set by its share of right rollouts, so that only the shape is fitted.
    """
    weight_G = np.array([weights.get(p.cluster, 0.0) for p in probes])
    n = probes[0].before.shape[1]
    counts_GC = np.array([np.bincount(p.before.sum(axis=1).astype(int), minlength=n + 1) for p in probes])
    used = weight_G > 0
    counts_GC = (weight_G[:, None] * counts_GC)[used]
    right_G = np.array([p.before.mean() for p in probes])[used]
    bounds = [allowed_range(f"items.{k}") for k in ("steepness", "guess", "slip")]

    def loss(x: Floats) -> float:
        return -float((counts_GC * _log_shares(x, right_G, n)).sum() / counts_GC.sum())

    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return dict(zip(("items.steepness", "items.guess", "items.slip"), map(float, found.x), strict=True))


def _log_shares(x: Floats, right_G: Floats, n: int) -> Floats:
    """Log probability of c of n right [G, n + 1], up to the binomial coefficient."""
    steepness, guess, slip = x
    points_Q, weights_Q = quadrature(_NODES)
    known_G = np.clip((right_G - guess) / (1 - guess - slip), 1e-3, 1 - 1e-3)
    theta_G = np.clip(np.sqrt(1 + (_LOGIT_TO_PROBIT / steepness) ** 2) * norm.ppf(known_G), -LIMIT, LIMIT)
    p_GQ = guess + (1 - guess - slip) * expit(steepness * (theta_G[:, None] - points_Q))
    right_C = np.arange(n + 1)[:, None, None]
    pmf_CGQ = np.exp(xlogy(right_C, p_GQ) + xlog1py(n - right_C, -p_GQ))
    return np.asarray(np.log(np.maximum((pmf_CGQ @ weights_Q).T, 1e-12)))


def fit_common(pairs: Sequence[Pair], weights: Weights) -> float:
    """The correlation of difficulties that makes the joint answers of the edges' ends most likely."""
    weight_R = np.array([weights.get(p.cluster, 0.0) for p in pairs])
    counts_R4 = np.array([p.counts for p in pairs], dtype=float)[weight_R > 0]
    weight_R = weight_R[weight_R > 0]
    questions_R = counts_R4.sum(axis=1)
    first_R = np.clip((counts_R4[:, 0] + counts_R4[:, 1]) / questions_R, 1e-3, 1 - 1e-3)
    second_R = np.clip((counts_R4[:, 0] + counts_R4[:, 2]) / questions_R, 1e-3, 1 - 1e-3)

    def loss(common: float) -> float:
        both_R = both_known(norm.ppf(first_R), norm.ppf(second_R), common)
        cells = np.stack([both_R, first_R - both_R, second_R - both_R, 1 - first_R - second_R + both_R], axis=1)
        return -float((weight_R[:, None] * counts_R4 * np.log(np.maximum(cells, 1e-9))).sum())

    return float(minimize_scalar(loss, bounds=allowed_range("items.common"), method="bounded").x)


def both_known(first: Floats, second: Floats, common: float) -> Floats:
    """Probability that two standard normals with this correlation lie under these bounds; arrays of one shape."""
    points_K, weights_K = quadrature(64)
    shared, own = np.sqrt(common), np.sqrt(1 - common)
    parts = (norm.cdf((x[..., None] - shared * points_K) / own) for x in (first, second))
    return np.asarray(np.prod(list(parts), axis=0) @ weights_K)
