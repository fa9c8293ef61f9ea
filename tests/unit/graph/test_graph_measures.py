"""Mixing matrix, spectral gap and effective neighbours against closed forms; degrees and distances by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg

from coopt.graph import mixing
from coopt.graph.files import load_topology, topology_names
from coopt.graph.measures import measure
from coopt.graph.mixing import effective_neighbours, mixing_matrix, mixing_rounds, period, spectral_gap
from coopt.graph.topology import Topology

DOMAINS = ["physics", "chemistry"]
SIZES = [3, 4, 5, 8, 13]


def load(name: str, nodes: int | None = None) -> Topology:
    return load_topology(name, DOMAINS, nodes)


def written(folder: Path, text: str) -> Topology:
    path = folder / "g.toml"
    path.write_text(text)
    return load_topology(str(path), DOMAINS)


def generated(folder: Path, graph: str, nodes: int, rest: str = "") -> Topology:
    return written(folder, f"[generator]\ngraph = '{graph}'\nnodes = {nodes}\n{rest}")


def gap(topology: Topology) -> float:
    per_round = spectral_gap(topology).per_round
    assert per_round is not None
    return per_round


# -- the mixing matrix ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in topology_names() if n != "random_matching"])
def test_every_row_of_w_is_an_average(name: str) -> None:
    for W_NN in mixing_rounds(load(name)):
        dense = W_NN.toarray()
        assert np.all(dense >= 0)
        assert dense.sum(axis=1) == pytest.approx(1.0)


def test_metropolis_and_uniform_weights(tmp_path: Path) -> None:
    star = mixing_matrix(load("star", 4)).toarray()
    assert star[0] == pytest.approx([0.25] * 4)
    assert star[1] == pytest.approx([0.25, 0.75, 0, 0])
    assert np.array_equal(star, star.T)
    chain = written(
        tmp_path,
        "nodes = [{id='a'}, {id='b'}, {id='c'}]\n"
        "edges = [{tutor='a', tutee='c'}, {tutor='b', tutee='c'}, {tutor='a', tutee='b'}]",
    )
    third = pytest.approx([1 / 3] * 3)
    assert mixing_matrix(chain).toarray()[2] == third  # the tutee averages its tutors and itself
    assert mixing_matrix(chain).toarray()[0] == pytest.approx([1, 0, 0])


def test_critics_are_left_out_of_w_and_counted_as_tutors() -> None:
    committee = load("fair_committee")
    assert mixing_matrix(committee).shape == (1, 1)
    measured = measure(committee)
    assert (measured.students, measured.critics, measured.edges, measured.reviews) == (1, 3, 3, 6)
    assert measured.tutors == (3, 3.0, 3)
    assert measured.tutees == (0, 0.75, 1)


# -- spectral gap --------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", SIZES)
def test_gaps_in_closed_form(nodes: int) -> None:
    assert gap(load("complete", nodes)) == pytest.approx(1.0)
    assert gap(load("ring", nodes)) == pytest.approx(1 - (1 + 2 * math.cos(2 * math.pi / nodes)) / 3)
    assert gap(load("star", nodes)) == pytest.approx(1 / nodes)
    assert gap(load("directed_ring", nodes)) == pytest.approx(1 - math.cos(math.pi / nodes))


def test_gap_of_the_smallest_graphs() -> None:
    assert gap(load("pair")) == pytest.approx(1.0)
    assert spectral_gap(load("solo")) == (1.0, 1.0)
    assert spectral_gap(load("critic")) == (1.0, 1.0)  # one student


def test_a_disconnected_graph_has_no_gap(tmp_path: Path) -> None:
    text = "nodes = [{id='a'}, {id='b'}, {id='c'}, {id='d'}]\nedges = ["
    pairs = "{tutor='a', tutee='b'}, {tutor='b', tutee='a'}, {tutor='c', tutee='d'}, {tutor='d', tutee='c'}]"
    assert spectral_gap(written(tmp_path, text + pairs)) == (0.0, 0.0)
    assert spectral_gap(written(tmp_path, text + "]")) == (0.0, 0.0)
    two_masters = "{tutor='a', tutee='c'}, {tutor='b', tutee='c'}, {tutor='c', tutee='d'}]"
    assert spectral_gap(written(tmp_path, text + two_masters)) == (0.0, 0.0)
    one_master = "{tutor='a', tutee='b'}, {tutor='b', tutee='c'}, {tutor='c', tutee='d'}]"
    follows = written(tmp_path, text + one_master)
    assert gap(follows) == pytest.approx(0.5)  # all end where a is, and yet a hears nobody
    assert not measure(follows).connected
    assert measure(follows).diameter is None


@pytest.mark.parametrize("nodes", [2, 4, 8, 16])
def test_one_peer_exponential_averages_exactly_in_a_period(nodes: int) -> None:
    topology = load("one_peer_exponential", nodes)
    assert period(topology) == math.log2(nodes)
    product = mixing._product(mixing_rounds(topology))
    assert np.array_equal(product, np.full((nodes, nodes), 1 / nodes))
    assert spectral_gap(topology) == (1.0, 1.0)


@pytest.mark.parametrize("nodes", [3, 6, 12])
def test_the_gap_of_a_period_is_the_product_of_its_rounds(nodes: int) -> None:
    topology = load("one_peer_exponential", nodes)
    rounds = period(topology)
    assert rounds == math.ceil(math.log2(nodes))
    # Circulant rounds share their eigenvectors: the eigenvalues of the product are the products of theirs.
    turns = np.exp(2j * np.pi * np.arange(nodes) / nodes)
    values = np.prod([(1 + turns ** (2**k)) / 2 for k in range(rounds)], axis=0)
    second = np.sort(np.abs(values))[-2]
    assert spectral_gap(topology) == pytest.approx((1 - second ** (1 / rounds), 1 - second))


@pytest.mark.parametrize("nodes", [2, 4, 5])
def test_a_random_matching_is_measured_in_expectation(nodes: int) -> None:
    """The closed forms against 1,000 drawn rounds."""
    topology = load("random_matching", nodes)
    assert period(topology) is None
    drawn = [mixing_matrix(topology.in_round(r, 0)).toarray() for r in range(1, 1001)]
    second = np.sort(np.linalg.eigvalsh(np.mean([W.T @ W for W in drawn], axis=0)))[-2]
    measured = spectral_gap(topology)
    assert measured.per_period is None
    assert measured.per_round == pytest.approx(1 - math.sqrt(max(0.0, second)), abs=0.03)
    variances, X_NN = [], np.zeros((nodes, nodes))
    for W_NN in drawn:
        X_NN = W_NN @ (0.9 * X_NN + np.eye(nodes)) @ W_NN.T
        variances.append(np.trace(X_NN) / nodes)
    assert effective_neighbours(topology, 0.9) == pytest.approx(10 / np.mean(variances[200:]), rel=0.03)


def test_sparse_eigenvalues_agree_with_dense_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [("ring", 40), ("star", 30), ("directed_ring", 20), ("complete", 12), ("small_world", 40)]
    dense = [spectral_gap(load(*n)) for n in names]
    monkeypatch.setattr(mixing, "DENSE_LIMIT", 5)
    assert [spectral_gap(load(*n)) for n in names] == [pytest.approx(g, abs=1e-8) for g in dense]
    assert effective_neighbours(load("ring", 40)) is None
    assert spectral_gap(load("one_peer_exponential", 12)) == (None, None)  # its product is dense


# -- effective number of neighbours --------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.99])
def test_effective_neighbours_from_alone_to_everybody(tmp_path: Path, gamma: float) -> None:
    alone = written(tmp_path, "nodes = [{id='a'}, {id='b'}, {id='c'}]")
    assert effective_neighbours(alone, gamma) == pytest.approx(1.0)
    assert effective_neighbours(load("solo"), gamma) == pytest.approx(1.0)
    assert effective_neighbours(load("pair"), gamma) == pytest.approx(2.0)
    assert effective_neighbours(load("complete", 7), gamma) == pytest.approx(7.0)
    assert effective_neighbours(load("one_peer_exponential", 2), gamma) == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["ring", "star", "chain", "small_world", "directed_ring", "one_peer_exponential"])
@pytest.mark.parametrize("gamma", [0.3, 0.9])
def test_effective_neighbours_are_the_sum_of_their_definition(name: str, gamma: float) -> None:
    """sum_k gamma^(k-1) ||W_(t+k-1) ... W_t||_F^2 / N, averaged over the starting rounds t of a period."""
    topology = load(name, 6)
    matrices = [W.toarray() for W in mixing_rounds(topology)]
    sums = []
    for start in range(len(matrices)):
        product, total = np.eye(6), 0.0
        for k in range(400):
            product = matrices[(start + k) % len(matrices)] @ product
            total += gamma**k * float((product**2).sum()) / 6
        sums.append(total)
    assert effective_neighbours(topology, gamma) == pytest.approx(1 / (1 - gamma) / np.mean(sums))


@pytest.mark.parametrize("nodes", SIZES)
def test_the_eigenvalue_formula_agrees_with_the_lyapunov_equation(nodes: int) -> None:
    for name in ("ring", "star", "chain"):
        topology = load(name, nodes)
        matrices = mixing_rounds(topology)
        W_NN = matrices[0].toarray()
        X_NN = linalg.solve_discrete_lyapunov(math.sqrt(0.9) * W_NN, W_NN @ W_NN.T)
        expected = 10 / (np.trace(X_NN) / nodes)
        assert effective_neighbours(topology, 0.9) == pytest.approx(expected)
        assert 10 / mixing._mean_variance(matrices, 0.9) == pytest.approx(expected)


def test_more_edges_are_more_effective_neighbours() -> None:
    measured = [effective_neighbours(load(name, 8), 0.9) for name in ("star", "chain", "ring", "complete")]
    assert measured == sorted(measured, key=float)  # type: ignore[arg-type]


# -- sizes, degrees, distances -------------------------------------------------------------------------


def test_degrees_and_distances() -> None:
    star = measure(load("star", 6))
    assert star.tutors == star.tutees == (1, 10 / 6, 5)
    assert str(star.tutors) == "1 to 5, mean 1.67"
    assert (star.edges, star.diameter, star.connected) == (10, 2, True)
    assert [measure(load(n, 6)).diameter for n in ("ring", "directed_ring", "complete", "chain")] == [3, 5, 1, 5]


def test_a_graph_that_changes_is_measured_by_union_and_round() -> None:
    peers = measure(load("one_peer_exponential", 8))
    assert (peers.edges, peers.edges_a_round, peers.period) == (24, 8, 3)
    matching = measure(load("random_matching", 5))
    assert (matching.edges, matching.edges_a_round, matching.period) == (20, 4, None)


def test_generated_graphs_of_any_kind_are_measured(tmp_path: Path) -> None:
    for rest in ("p = 0.4", "p = 0.4\ndirected = true"):
        measured = measure(generated(tmp_path, "gnp_random_graph", 9, rest))
        assert measured.effective_neighbours is not None
        assert 0 < measured.effective_neighbours <= 9 + 1e-9
