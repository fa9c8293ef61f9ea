"""The one model behind every interval, p-value and verdict: a mean over seeds and questions that are crossed.

Every seed (its specialists, its order of prompts) answers the same questions. A value is mean + seed + question +
rest, so the variance of the mean is

    V = V_seeds + max(V_questions - V_rest, 0)

``V_seeds``: of the seeds' means, s^2 / S; it holds the seeds' own part and the rest's. ``V_questions``: of the seeds'
average, over questions with their clusters (``coopt.core.statistics.design``); it holds the questions' part and the
rest's once more. ``V_rest``, from each seed's residuals from the average, takes that off. It is the two-way
random-effects estimator by mean squares (Searle, Casella and McCulloch 1992, Variance Components, section 4.3). The
half-width of an interval is

    h^2 = t(alpha, S - 1)^2 V_seeds + t(alpha, df_questions)^2 max(V_questions - V_rest, 0)

each part with its own t (Cochran 1964, Biometrics 20:191). To take V_rest off the seeds' part instead, which has few
degrees of freedom, covers 91 of 100 with three seeds that differ by three points, Satterthwaite's one t 92. A p-value
is the alpha whose interval just ends at the null.

With one seed there is no V_seeds, and two tell next to nothing of it (t is 12.7): there V is V_questions, and what is
said is said of these students. From three seeds on it is said of others too. Measured coverage: docs/statistics.md
(``make calibrate``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from coopt.core.statistics.design import Array, Design

LEVEL = 0.95
LEAST_SEEDS = 3
"""From so many on, intervals are about other seeds too."""
ALPHA = 1 - LEVEL
_SMALLEST = 1e-12  # p-values below say nothing more
_LARGEST = 1 - 1e-9
NOTHING = 1e-18  # variance of values that are equal but for rounding
ROUNDING = 1e-9
LEAST_CLUSTERS = 0.5
"""The error of right and wrong answers is at least half a cluster's share."""


class Part(NamedTuple):
    """A component of the variance of a mean, and its degrees of freedom."""

    variance: float
    df: float


class Estimate(NamedTuple):
    """A mean over seeds and questions. ``seeds``: their own part; one each where two groups of seeds are compared; none
    where they are too few to tell it."""

    value: float
    per_seed: tuple[float, ...]
    questions: int
    """Of the smallest domain."""
    clusters: int
    of_questions: Part
    seeds: tuple[Part, ...]

    def at_least(self, clusters: float = LEAST_CLUSTERS) -> Estimate:
        """With an error of at least so many clusters' share. However alike all questions came out, some clusters that
        were not asked may not have."""
        least = (clusters / self.clusters) ** 2
        return self._replace(of_questions=Part(max(self.of_questions.variance, least), self.of_questions.df))

    def half_width(self, alpha: float = ALPHA) -> float:
        """Of the two-sided interval that misses with probability ``alpha``."""
        return float(np.sqrt(sum(stdtrit(p.df, alpha / 2) ** 2 * p.variance for p in (self.of_questions, *self.seeds))))

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        half = self.half_width(alpha)
        return self.value - half, self.value + half

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided, of the mean being ``null``; not below 1e-12."""
        distance = abs(self.value - null)
        if distance < ROUNDING or not self.half_width(_LARGEST) < distance:
            return 1.0
        if self.half_width(_SMALLEST) <= distance:
            return _SMALLEST
        # On a logarithmic scale the half-width is nearly straight.
        found = brentq(lambda x: self.half_width(float(np.exp(x))) - distance, np.log(_SMALLEST), np.log(_LARGEST))
        return float(np.exp(found))

    def p_above(self, bound: float) -> float:
        """One-sided: small if the mean is shown to be above ``bound``."""
        both = self.p_value(bound)
        return both / 2 if self.value > bound else 1 - both / 2

    def p_below(self, bound: float) -> float:
        return 1 - self.p_above(bound)


def estimate(values_SQ: Array, design: Design) -> Estimate:
    """The mean of values [seeds, questions]. Raises ``ValueError`` if one of them is not a number."""
    if not np.isfinite(values_SQ).all():
        raise ValueError("a mean of values that are not all numbers")
    per_seed = design.mean(values_SQ)
    several = len(per_seed) >= LEAST_SEEDS
    rest = _of_rest(values_SQ, design) if several else 0.0
    return Estimate(
        value=float(per_seed.mean()),
        per_seed=tuple(float(x) for x in per_seed),
        questions=design.questions,
        clusters=design.clusters,
        of_questions=_of_questions(values_SQ.mean(axis=0), rest, design),
        seeds=(_of_seeds(per_seed),) if several else (),
    )


def apart(first_SQ: Array, second_TQ: Array, design: Design) -> Estimate:
    """The difference of two means whose seeds have nothing to do with one another: paired over questions, each side
    with its own seeds' part (Welch). A side with one seed leaves it open: its interval has no end."""
    sides = (first_SQ, second_TQ)
    rest = sum(_of_rest(side, design) for side in sides if len(side) > 1)
    difference_Q = first_SQ.mean(axis=0) - second_TQ.mean(axis=0)
    return Estimate(
        value=float(design.mean(difference_Q)),
        per_seed=(),
        questions=design.questions,
        clusters=design.clusters,
        of_questions=_of_questions(difference_Q, rest, design),
        seeds=tuple(_of_seeds(design.mean(side)) if len(side) > 1 else Part(float("inf"), 1.0) for side in sides),
    )


def _of_questions(average_Q: Array, rest: float, design: Design) -> Part:
    """What questions differ by beyond the ``rest`` that the seeds' means have too."""
    variance = design.variance(average_Q) - rest
    return Part(variance if variance > NOTHING else 0.0, design.df)


def _of_seeds(per_seed: Array) -> Part:
    return Part(float(per_seed.var(ddof=1)) / len(per_seed), len(per_seed) - 1)


def _of_rest(values_SQ: Array, design: Design) -> float:
    """What the seeds' residuals from their average contribute to the variance of the mean."""
    count = len(values_SQ)
    return sum(design.variance(rest_Q) for rest_Q in values_SQ - values_SQ.mean(axis=0)) / (count * (count - 1))


class Ratio(NamedTuple):
    """A ratio of means with its interval; ``error``: as of a mean, for proportions."""

    value: float
    low: float
    high: float
    spread: Estimate


def ratio(above_SQ: Array, below_SQ: Array, design: Design) -> Ratio | None:
    """mean(above) / mean(below): its variance is that of the mean of (above - ratio below) / mean(below) (Cochran 1977,
    Sampling Techniques, section 6.3). None if the denominator is not shown to be positive."""
    below = estimate(below_SQ, design)
    if below.interval()[0] <= 0:
        return None
    value = float(design.mean(above_SQ).mean()) / below.value
    spread = estimate((above_SQ - value * below_SQ) / below.value, design)
    half = spread.half_width()
    return Ratio(value, value - half, value + half, spread._replace(value=value))


def joint_draws(values_KSQ: Array, design: Design, draws: int, rng: np.random.Generator) -> Array:
    """Draws [draws, K] of K means around their values, with the model's covariance and its t for each part: for what is
    no mean (a volume, the probability that none is below zero)."""
    count = values_KSQ.shape[1]
    means_KS = design.mean(values_KSQ)
    of_questions = _products(values_KSQ.mean(axis=1), design)
    found: Array = np.tile(means_KS.mean(axis=1), (draws, 1))
    if count >= LEAST_SEEDS:
        own_SKQ = (values_KSQ - values_KSQ.mean(axis=1, keepdims=True)).swapaxes(0, 1)
        of_questions -= sum(_products(own_KQ, design) for own_KQ in own_SKQ) / (count * (count - 1))
        of_seeds = np.cov(means_KS, ddof=1).reshape(of_questions.shape) / count
        found += _t_draws(of_seeds, count - 1, draws, rng)
    least = (LEAST_CLUSTERS / design.clusters) ** 2
    of_questions += np.diag(np.maximum(least - of_questions.diagonal(), 0.0))
    return found + _t_draws(of_questions, design.df, draws, rng)


def _t_draws(covariance: Array, df: float, draws: int, rng: np.random.Generator) -> Array:
    """Multivariate t around zero."""
    root = _root(covariance)
    tails = np.sqrt(df / rng.chisquare(df, draws))
    found: Array = rng.standard_normal((draws, len(root))) @ root.T * tails[:, None]
    return found


def _products(values_KQ: Array, design: Design) -> Array:
    """Covariance of the K means, over questions."""
    rest_KQ = np.array([design.centred(v) for v in values_KQ])
    found: Array = design.scale * (rest_KQ @ (design.pairs_QQ @ rest_KQ.T))
    return found


def _root(matrix: Array) -> Array:
    """Of the nearest matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    found: Array = vectors * np.sqrt(np.maximum(values, 0.0))
    return found
