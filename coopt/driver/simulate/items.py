"""Questions: how often a student of a given competence is right, with and without luck, and what its tutor knows.

A question's difficulty b is standard normal for a student, correlated by ``common`` between two students. A student
of competence theta knows it with probability e = expit(steepness (theta - b)), which is also how it answers when it is
scored; a training rollout, which is drawn at a higher temperature, is right with probability
p = guess + (1 - guess - slip) e. What is needed of this are expectations over b. They are computed once, by
Gauss-Hermite quadrature, on a grid of competences, and interpolated.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import expit, roots_hermitenorm
from scipy.stats import binom

from coopt.core.arrays import Floats
from coopt.driver.simulate.constants import Items

LIMIT = 4.0
"""Competences lie in [-LIMIT, LIMIT]: 3 in 100,000 questions are beyond it."""
STEP = 0.05
GRID_G: Floats = np.linspace(-LIMIT, LIMIT, round(2 * LIMIT / STEP) + 1)
_NODES = 1024  # resolve the steepest allowed curve: the error is below 1e-3 (tests compare with Monte Carlo)
_COMMON_NODES = 64  # for what is smooth already


@lru_cache
def quadrature(nodes: int = _NODES) -> tuple[Floats, Floats]:
    """Points and weights [nodes] of the standard normal; the weights sum to 1."""
    points_Q, weights_Q = roots_hermitenorm(nodes)
    return np.asarray(points_Q), np.asarray(weights_Q / weights_Q.sum())


class ItemModel:
    """Expectations over questions, for students that draw ``rollouts`` answers to a prompt."""

    def __init__(self, items: Items, rollouts: int) -> None:
        self.items = items
        self.rollouts = rollouts

    # -- what is looked up -------------------------------------------------------------------------

    def accuracy(self, theta: Floats) -> Floats:
        """Expected score on questions nobody chose; the shape of ``theta``."""
        return np.interp(theta, GRID_G, self._known_G)

    def competence(self, score: Floats) -> Floats:
        """The inverse of ``accuracy``, within the limits of competence."""
        return np.interp(score, self._known_G, GRID_G)

    def score_variances(self, theta: Floats) -> tuple[Floats, Floats]:
        """Variance of one question's expected score, and mean variance of one answer to it."""
        return np.interp(theta, GRID_G, self._between_G), np.interp(theta, GRID_G, self._within_G)

    def correct_shares(self, theta: Floats) -> Floats:
        """Probability that c of n rollouts of a prompt are right [..., n + 1]."""
        return _interpolate(self._correct_GC, theta)

    def known_without(self, tutor: Floats, tutee: Floats) -> Floats:
        """Probability that the tutor knows a question of which the tutee has no rollout right; arrays of one shape."""
        return _interpolate_2d(self._known_by_count[0], tutor, tutee)

    def known_with_one(self, tutor: Floats, tutee: Floats) -> Floats:
        """The same where exactly one of the tutee's rollouts is right."""
        return _interpolate_2d(self._known_by_count[1], tutor, tutee)

    def known_if_right(self, tutor: Floats, tutee: Floats) -> Floats:
        """Probability that the tutor knows the question of a random right rollout of the tutee."""
        return _interpolate_2d(self._known_if_right_GG, tutor, tutee)

    def disagreement(self, theta_N: Floats) -> float:
        """Probability that of two random students one is right and the other wrong on a random question."""
        if len(theta_N) < 2:
            return 0.0
        share_G = _spread_on_grid(theta_N)  # a hundred thousand students are a few hundred competences
        mean_K, square_K = share_G @ self._given_common_GK, share_G @ self._given_common_GK**2
        count = len(theta_N)
        both_K = (count * mean_K**2 - square_K) / (count - 1)
        return float(2 * quadrature(_COMMON_NODES)[1] @ (mean_K - both_K))

    # -- tables ------------------------------------------------------------------------------------

    @cached_property
    def _knows_GQ(self) -> Floats:
        points_Q, _ = quadrature()
        return np.asarray(expit(self.items.steepness * (GRID_G[:, None] - points_Q)))

    @cached_property
    def _right_GQ(self) -> Floats:
        """Chance of a right rollout."""
        return self.items.guess + (1 - self.items.guess - self.items.slip) * self._knows_GQ

    @cached_property
    def _known_G(self) -> Floats:
        return self._knows_GQ @ quadrature()[1]

    @cached_property
    def _between_G(self) -> Floats:
        return np.maximum(self._knows_GQ**2 @ quadrature()[1] - self._known_G**2, 0.0)

    @cached_property
    def _within_G(self) -> Floats:
        return (self._knows_GQ * (1 - self._knows_GQ)) @ quadrature()[1]

    @cached_property
    def _pmf_CGQ(self) -> Floats:
        counts = np.arange(self.rollouts + 1)[:, None, None]
        within_GQ = np.clip(self._right_GQ, 1e-12, 1 - 1e-12)  # SciPy's overflows on denormal probabilities
        return np.asarray(binom.pmf(counts, self.rollouts, within_GQ))

    @cached_property
    def _correct_GC(self) -> Floats:
        return np.ascontiguousarray((self._pmf_CGQ @ quadrature()[1]).T)

    @cached_property
    def _known_by_count(self) -> tuple[Floats, Floats]:
        """For 0 and for 1 right rollouts of the tutee: [tutor's G, tutee's G]."""
        return self._tutor_knows(self._pmf_CGQ[0]), self._tutor_knows(self._pmf_CGQ[1])

    @cached_property
    def _known_if_right_GG(self) -> Floats:
        return self._tutor_knows(self._right_GQ)

    @cached_property
    def _given_common_GK(self) -> Floats:
        """P(right) given the part of the difficulty that all students share [G, K points of it]."""
        common, own = np.sqrt(self.items.common), np.sqrt(1 - self.items.common)
        return self._smoothed(own, GRID_G[:, None] - common * quadrature(_COMMON_NODES)[0])

    def _tutor_knows(self, weight_GQ: Floats) -> Floats:
        """P(tutor knows) [tutor's G, tutee's G] on questions that the tutee meets with ``weight_GQ``.

        Given the tutee's difficulty b, the tutor's is normal around common x b with variance 1 - common^2.
        """
        points_Q, weights_Q = quadrature()
        common = self.items.common
        knows_GQ = self._smoothed(np.sqrt(1 - common**2), GRID_G[:, None] - common * points_Q)
        met_GQ = weight_GQ * weights_Q
        total_G = met_GQ.sum(axis=1)
        return np.asarray((knows_GQ @ met_GQ.T) / np.maximum(total_G, 1e-300))

    def _smoothed(self, scale: float, distance: Floats) -> Floats:
        """E expit(steepness (distance - scale z)) over a standard normal z."""
        points_Q, weights_Q = quadrature()
        wide_X = np.linspace(-3 * LIMIT, 3 * LIMIT, 6 * GRID_G.size)
        mean_X = expit(self.items.steepness * (wide_X[:, None] - scale * points_Q)) @ weights_Q
        return np.asarray(np.interp(distance, wide_X, mean_X))


def _place(theta: Floats) -> Floats:
    """Where a competence lies on the grid, in steps."""
    return np.clip((theta + LIMIT) / STEP, 0, GRID_G.size - 1)


def _interpolate(table_GC: Floats, theta: Floats) -> Floats:
    place = _place(theta)
    below = np.minimum(place.astype(np.int64), GRID_G.size - 2)
    part = (place - below)[..., None]
    return np.asarray(table_GC[below] * (1 - part) + table_GC[below + 1] * part)


def _interpolate_2d(table_GG: Floats, first: Floats, second: Floats) -> Floats:
    return np.asarray(map_coordinates(table_GG, [_place(first), _place(second)], order=1, prefilter=False))


def _spread_on_grid(theta_N: Floats) -> Floats:
    """Share of students at each grid point [G]; a student between two points counts for both in proportion."""
    place_N = _place(theta_N)
    below_N = np.minimum(place_N.astype(np.int64), GRID_G.size - 2)
    part_N = place_N - below_N
    counts_G = np.bincount(below_N, 1 - part_N, GRID_G.size) + np.bincount(below_N + 1, part_N, GRID_G.size)
    return np.asarray(counts_G / len(theta_N))
