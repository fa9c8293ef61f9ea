"""Which questions hang together, and what that does to the error of a mean over them.

Questions that share a fact, a passage or their text are not independent: a student that learns the fact gains on all of
them. A question names its clusters, one or several. The variance of a weighted mean is then the sum over all pairs of
questions with a common cluster of the product of their weighted residuals, w_q r_q w_p r_p: the cluster-robust variance
where clusters are disjoint, and the dyadic-robust one where they overlap (Aronow, Samii and Assenova 2015, Political
Analysis 23:564). It is scaled to be unbiased, and its degrees of freedom are Satterthwaite's, both under independent
questions (Bell and McCaffrey 2002, Survey Methodology 28:169): with questions on their own it is s^2 / n with n - 1
degrees of freedom, with G equal clusters that of their means with G - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
Clusters = Sequence[str]
"""The clusters of a question; none: it is one of its own."""


@dataclass(frozen=True, eq=False)
class Design:
    """A mean of questions, domain by domain, in which domains count alike.

    ``weight_Q``: what each counts, in sum 1. ``domain_Q``: its domain's number. ``clusters``: how many there are.
    ``pairs_QQ``: products of weights where two questions share a cluster. ``scale`` and ``df``: see above.
    """

    weight_Q: Array
    domain_Q: NDArray[np.int64]
    clusters: int
    pairs_QQ: sparse.csr_array
    scale: float
    df: float

    @property
    def questions(self) -> int:
        """Of the smallest domain."""
        return int(np.bincount(self.domain_Q).min())

    def mean(self, values_xQ: Array) -> Array:
        """Means of the last axis."""
        found: Array = values_xQ @ self.weight_Q
        return found

    def centred(self, values_Q: Array) -> Array:
        """Less the mean of the own domain."""
        sums = np.bincount(self.domain_Q, values_Q)
        found: Array = values_Q - (sums / np.bincount(self.domain_Q))[self.domain_Q]
        return found

    def variance(self, values_Q: Array) -> float:
        """Of the mean of these values. Overlapping clusters may make the sum less than that of questions on their own,
        or negative: the larger of the two counts."""
        rest_Q = self.centred(values_Q)
        shared = self.scale * float(rest_Q @ (self.pairs_QQ @ rest_Q))
        return max(shared, float(rest_Q**2 @ self.alone_Q))

    @cached_property
    def alone_Q(self) -> Array:
        """What the square of each residual counts in the variance, were every question on its own."""
        size_Q = np.bincount(self.domain_Q)[self.domain_Q]
        found: Array = self.weight_Q**2 * size_Q / np.maximum(size_Q - 1, 1)
        return found


def make_design(clusters: Sequence[Sequence[Clusters]]) -> Design:
    """``clusters``: of every question, domain by domain. A cluster may reach over domains."""
    sizes = [len(domain) for domain in clusters]
    if not sizes or min(sizes) == 0:
        raise ValueError("a mean needs a question in every domain")
    domain_Q = np.repeat(np.arange(len(sizes)), sizes)
    weight_Q = np.concatenate([np.full(n, 1 / (n * len(sizes))) for n in sizes])
    cluster_QC = _incidence([own or (f"question {k}",) for k, own in enumerate(c for d in clusters for c in d)])
    shared_QQ = (cluster_QC @ cluster_QC.T).astype(bool).astype(float)
    pairs_QQ = sparse.csr_array(sparse.diags_array(weight_Q) @ shared_QQ @ sparse.diags_array(weight_Q))
    scale, df = _moments(pairs_QQ, domain_Q, weight_Q)
    return Design(weight_Q, domain_Q, cluster_QC.shape[1], pairs_QQ, scale, df)


def _incidence(clusters: Sequence[Clusters]) -> sparse.csr_array:
    """Questions x clusters, ones and zeros."""
    number: dict[str, int] = {}
    pairs = [(q, number.setdefault(c, len(number))) for q, own in enumerate(clusters) for c in dict.fromkeys(own)]
    rows, columns = np.array(pairs).T
    return sparse.csr_array((np.ones(len(pairs)), (rows, columns)), shape=(len(clusters), len(number)))


def _moments(pairs_QQ: sparse.csr_array, domain_Q: NDArray[np.int64], weight_Q: Array) -> tuple[float, float]:
    """Scale and degrees of freedom of y'(PCP)y for independent y, C the pairs and P the centring in each domain:
    true variance / trace, and trace^2 / squared norm."""
    ones = np.eye(domain_Q.max() + 1)[domain_Q]
    ones /= np.linalg.norm(ones, axis=0)  # P = I - ones ones'
    by_domain = pairs_QQ @ ones
    inner = ones.T @ by_domain
    trace = float(pairs_QQ.diagonal().sum() - np.trace(inner))
    squares = float((pairs_QQ.data**2).sum() - 2 * (by_domain**2).sum() + (inner**2).sum())
    if trace <= 1e-9 * pairs_QQ.diagonal().sum():  # a question a domain, or one cluster of all: nothing can be told
        return 1.0, 1.0
    return float((weight_Q**2).sum()) / trace, max(trace**2 / squares, 1.0)
