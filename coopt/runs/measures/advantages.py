"""Where the advantages of one rollout lie: pure functions of A_t over its T tokens.

A_t = log pi_teacher(y_t | x, c, y_<t) - log pi_student(y_t | x, y_<t), in nats. The paper that asks for it (2606.11173)
shows one rollout as a picture and gives no index; these are ours. ``error`` is the token of the first error (0 .. T-1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from coopt.core.statistics.design import Array

REGIONS = ("reasoning", "answer", "format")


def share_from(values: Array, error: int) -> float | None:
    """Share of the mass sum |A| that lies on the first error and after it; None if there is no mass."""
    mass = np.abs(values)
    return _ratio(mass[error:].sum(), mass.sum())


def mean_before(values: Array, error: int) -> float | None:
    """Mean A on the tokens before the first error, which are right: below 0 the teacher would unlearn them."""
    return float(values[:error].mean()) if error else None


def negative_before(values: Array, error: int, beyond: float = 0.0) -> float | None:
    """Fraction of the tokens before the first error whose A is below 0, or below -``beyond``."""
    return float((values[:error] < -beyond).mean()) if error else None


def size_before(values: Array, error: int) -> float | None:
    """Mean |A| before the first error."""
    return float(np.abs(values[:error]).mean()) if error else None


def size_from(values: Array, error: int) -> float:
    """Mean |A| on the first error and after it."""
    return float(np.abs(values[error:]).mean())


def gini(values: Array) -> float | None:
    """Gini coefficient of |A|: 0 where every token has the same, 1 - 1/T where one has all."""
    mass, count = np.sort(np.abs(values)), len(values)
    return _ratio(float(((2 * np.arange(1, count + 1) - count - 1) * mass).sum()), count * float(mass.sum()))


def effective_share(values: Array) -> float | None:
    """Effective number of tokens (sum |A|)^2 / sum A^2 over T: 1 where all count alike, 1/T where one counts."""
    return _ratio(float(np.abs(values).sum()) ** 2, len(values) * float((values**2).sum()))


def auc(values: Array, wrong: NDArray[np.bool_]) -> float | None:
    """Rank-AUC of -A as a detector of the tokens ``wrong``: the probability that a wrong token has a lower A than
    another one, ties counted half. None if all tokens are of one kind."""
    if wrong.all() or not wrong.any():
        return None
    statistic = mannwhitneyu(-values[wrong], -values[~wrong]).statistic
    return float(statistic / (wrong.sum() * (~wrong).sum()))


def auc_from(values: Array, error: int) -> float | None:
    """AUC with every token from the first error on as wrong. This is what the paper's picture shows: small positive
    values up to the error, negative ones behind it."""
    return auc(values, np.arange(len(values)) >= error)


def auc_first(values: Array, error: int) -> float | None:
    """AUC with the token of the first error alone as wrong: does the teacher point at it? What follows from an error
    may be right in itself."""
    return auc(values, np.arange(len(values)) == error)


def region_shares(values: Array, regions: Sequence[str]) -> dict[str, float | None]:
    """Share of the mass in each of ``REGIONS``; ``regions``: of each token."""
    mass, where = np.abs(values), np.array(regions)
    return {name: _ratio(float(mass[where == name].sum()), float(mass.sum())) for name in REGIONS}


def _ratio(above: float, below: float) -> float | None:
    return float(above / below) if below > 0 else None
