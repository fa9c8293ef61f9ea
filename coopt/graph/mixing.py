"""How fast a graph mixes what its students know: mixing matrix, spectral gap, effective number of neighbours.

Everything here is over the students and the tutor edges among them. Critics only speak: as nodes of the mixing
matrix they would never change, two of them would keep any gap at 0, and they say nothing about how students reach
one another. No training enters: these are numbers of the graph alone, with every gate open.

Symbols: N students, W_NN row-stochastic (row: tutee, column: tutor), T rounds of a period.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigs, eigsh

from coopt.core.arrays import Floats
from coopt.core.rng import generator
from coopt.graph.topology import Topology, exponential_period

GAMMA = 0.9
"""Share of what a student learnt that outlives a round, for the effective neighbours: a memory of ten rounds."""
DENSE_LIMIT = 2000
"""Most students for dense linear algebra (seconds, 32 MB a matrix); above: sparse eigenvalues, or left out."""
_LANCZOS_STEPS = 2000  # restarts; a graph that needs more has a gap too small to be worth the wait
_ZERO = 1e-9  # eigenvalues below this are rounding: a product of rounds may average exactly


class Gap(NamedTuple):
    """Spectral gaps; None: left out (too large a graph, or no convergence)."""

    per_round: float | None
    """1 - |lambda_2(W)|; of a graph that changes: the per-round mean (see ``spectral_gap``)."""
    per_period: float | None
    """1 - |lambda_2| of the product over a period; ``per_round`` itself where the period is one round."""


def students_graph(topology: Topology) -> nx.DiGraph[str]:
    """The tutor edges among students."""
    return topology.graph.subgraph(topology.students)


def period(topology: Topology) -> int | None:
    """Rounds after which the edges repeat: 1 for a fixed graph, ceil(log2 N) for one_peer_exponential, None for
    random_matching (never)."""
    if topology.varies == "random_matching":
        return None
    return exponential_period(len(topology.students)) if topology.varies else 1


def mixing_matrix(topology: Topology) -> Any:
    """W_NN of a graph that does not change (or of one round of one that does), as a scipy CSR array.

    Metropolis weights 1 / (1 + max(degree of the two ends)), the rest on the diagonal, if every tutor edge has its
    reverse; otherwise uniform over the tutors and the student itself.
    """
    graph = students_graph(topology)
    heard = sparse.csr_array(nx.to_scipy_sparse_array(graph, nodelist=topology.students, dtype=np.dtype(float)).T)
    degree_N = heard.sum(axis=1)
    if (heard != heard.T).nnz:
        return sparse.csr_array(sparse.diags_array(1 / (1 + degree_N)) @ (heard + sparse.eye_array(len(degree_N))))
    edges = heard.tocoo()
    weight_E = 1 / (1 + np.maximum(degree_N[edges.row], degree_N[edges.col]))
    between = sparse.csr_array((weight_E, (edges.row, edges.col)), shape=heard.shape)
    return sparse.csr_array(between + sparse.diags_array(1 - between.sum(axis=1)))


def mixing_rounds(topology: Topology) -> list[Any]:
    """The mixing matrices of one period, first round first. Raises ``ValueError`` where the edges never repeat."""
    rounds = period(topology)
    if rounds is None:
        raise ValueError(f"{topology.name}: the edges never repeat")
    return [mixing_matrix(topology.in_round(r, 0)) for r in range(1, rounds + 1)]


def spectral_gap(topology: Topology) -> Gap:
    """The spectral gap 1 - |lambda_2|: 1 if one round averages exactly, 0 if the students never agree.

    A single student gives 1. A graph that changes every round:

    - with a period T: of the product P = W_T ... W_1, and per round 1 - |lambda_2(P)|^(1/T), the geometric mean;
    - random_matching: the expectation over the draws, so neither a seed nor a number of rounds enters. A matching's
      W is a projection, hence E[W'W] = E[W], whose second eigenvalue is rho = 1 - floor(N/2)/(N-1); the root mean
      square of the disagreement shrinks by sqrt(rho) a round (Boyd et al. 2006, randomized gossip). A product of
      drawn rounds would be erratic instead: soon or late it averages exactly.
    """
    count = len(topology.students)
    if count == 1:
        return Gap(1.0, 1.0)
    rounds = period(topology)
    if rounds is None:
        return Gap(1 - float(np.sqrt(_matching_factor(count))), None)
    if rounds == 1 and _voices(students_graph(topology)) > 1:
        return Gap(0.0, 0.0)  # exactly, and where Lanczos could miss the second eigenvalue 1
    matrices = mixing_rounds(topology)
    second = _second_dense(_product(matrices)) if count <= DENSE_LIMIT else _second_sparse(matrices)
    if second is None:
        return Gap(None, None)
    return Gap(1 - second ** (1 / rounds), 1 - second)


def effective_neighbours(topology: Topology, gamma: float = GAMMA) -> float | None:
    """n_W(gamma): by what factor averaging on the graph lowers the variance of a decaying random walk.

    Vogels, Hendrikx, Jaggi, "Beyond spectral gap" (arXiv 2206.03093): with x <- W (sqrt(gamma) x + unit noise) every
    round, n_W = [1 / (1 - gamma)] / [mean variance], where the variance is sum_k gamma^(k-1) ||W^k||_F^2 / N. It is
    1 without edges and N where everybody averages with everybody. ``gamma`` in [0, 1). For a symmetric W the mean
    variance is the mean of m / (1 - gamma m) over m = lambda_i^2; random_matching takes the eigenvalues of E[W'W]
    as m, which is the same walk in expectation; any other W goes through the discrete Lyapunov equation, averaged
    over the rounds of a period. None above ``DENSE_LIMIT`` students, except for random_matching.
    """
    count = len(topology.students)
    if period(topology) is None:
        squares_N = np.full(count, _matching_factor(count))
        squares_N[0] = 1.0
    elif count > DENSE_LIMIT:
        return None
    else:
        matrices = mixing_rounds(topology)
        if len(matrices) > 1 or not _symmetric(matrices[0]):
            return 1 / (1 - gamma) / _mean_variance(matrices, gamma)
        squares_N = np.linalg.eigvalsh(matrices[0].toarray()) ** 2
    return float(1 / (1 - gamma) / np.mean(squares_N / (1 - gamma * squares_N)))


# -- linear algebra ------------------------------------------------------------------------------------


def _matching_factor(count: int) -> float:
    """rho: the share of the squared disagreement that a random matching of ``count`` students leaves on average."""
    return 1 - (count // 2) / (count - 1) if count > 1 else 0.0


def _voices(graph: nx.DiGraph[str]) -> int:
    """Groups of students that hear nobody outside: more than one never agree (the eigenvalue 1 repeats)."""
    return sum(1 for _ in nx.attracting_components(graph.reverse(copy=False)))


def _symmetric(W_NN: Any) -> bool:
    return bool(abs(W_NN - W_NN.T).max() < 1e-12)


def _product(matrices: list[Any]) -> Floats:
    """W_T ... W_1"""
    first, *rest = matrices
    return functools.reduce(lambda done_NN, W_NN: W_NN @ done_NN, rest, np.asarray(first.toarray()))


def _second_dense(W_NN: Floats) -> float:
    symmetric = np.allclose(W_NN, W_NN.T, rtol=0, atol=1e-12)
    values_N = np.linalg.eigvalsh(W_NN) if symmetric else np.linalg.eigvals(W_NN)
    return _tidy(float(np.sort(np.abs(values_N))[-2]))


def _second_sparse(matrices: list[Any]) -> float | None:
    """Lanczos or Arnoldi on a fixed matrix; the start vector is fixed, so that the same graph gives the same digits."""
    if len(matrices) > 1:
        return None  # the product of a period is dense
    (W_NN,) = matrices
    start_N = generator(0, "lanczos").normal(size=W_NN.shape[0])
    try:
        if _symmetric(W_NN):
            ends = [eigsh(W_NN, k=2, which=e, v0=start_N, maxiter=_LANCZOS_STEPS)[0] for e in ("LA", "SA")]
            return _tidy(float(max(np.sort(ends[0])[0], np.abs(ends[1]).max())))
        values = eigs(W_NN, k=2, which="LM", v0=start_N, maxiter=_LANCZOS_STEPS, return_eigenvectors=False)
    except ArpackNoConvergence:
        return None
    return _tidy(float(np.sort(np.abs(values))[0]))


def _tidy(second: float) -> float:
    return 0.0 if second < _ZERO else min(second, 1.0)


def _mean_variance(matrices: list[Any], gamma: float) -> float:
    """Stationary variance of a student in x <- W (sqrt(gamma) x + noise), mean over students and a period's rounds.

    Over one period the covariance goes from X to A X A' + Q with A = gamma^(T/2) W_T ... W_1: its fixed point is the
    solution of the discrete Lyapunov equation.
    """
    count = int(matrices[0].shape[0])

    def play(X_NN: Floats) -> tuple[Floats, float]:
        traces = 0.0
        for W_NN in matrices:
            X_NN = W_NN @ (gamma * X_NN + np.eye(count)) @ W_NN.T
            traces += float(np.trace(X_NN))
        return X_NN, traces / len(matrices)

    Q_NN, _ = play(np.zeros((count, count)))
    A_NN = float(gamma ** (len(matrices) / 2)) * _product(matrices)
    _, variance = play(np.asarray(linalg.solve_discrete_lyapunov(A_NN, Q_NN)))
    return variance / count
