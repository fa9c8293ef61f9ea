"""Gates on arrays, shares of several tutors, feedback and the learning rule, each against a loop or a closed form."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.driver.simulate.constants import Learning
from coopt.driver.simulate.deciding import Decider, Open, check_config
from coopt.driver.simulate.feedback import Calibrated, Ends, Rates, calibrated_rates
from coopt.driver.simulate.items import ItemModel
from coopt.driver.simulate.learning import (
    change_of_competence,
    demonstrated,
    draw_signals,
    expected_signals,
    in_jumps,
)
from coopt.driver.simulate.network import Network, Nodes
from coopt.driver.simulate.population import measure, place_hub
from coopt.graph.build import build_topology
from coopt.graph.files import load_topology
from coopt.graph.gates.base import View
from coopt.graph.topology import Topology
from tests.unit.simulated_runs import constants

DOMAINS = ("physics", "chemistry")
SCORES = np.array([[0.9, 0.5], [0.6, 0.8], [0.3, 0.4], [0.9, 0.9], [0.7, 0.1]])


def config(**flags: object) -> Config:
    return load_config(domains="phys,chem", **flags)  # type: ignore[arg-type]


def view_of(network: Network, nodes: Nodes, scores: np.ndarray) -> View:
    return View(scores, nodes.contends_ND, nodes.students_N, network.tutor_E, network.tutee_E, matched_rate=0.5)


def decide(topology: Topology, method: str, settings: Config, scores: np.ndarray = SCORES) -> tuple[Network, Open]:
    network, nodes = Network.of(topology, "simultaneous"), Nodes.of(topology, DOMAINS)
    return network, Decider(method, settings).decide(network, view_of(network, nodes, scores))


# -- gates -----------------------------------------------------------------------------------------


def test_the_papers_pair_is_closed_both_ways() -> None:
    _, opened = decide(load_topology("pair", DOMAINS), "opcod", config(), np.array([[1.0, 0.7], [0.7, 1.0]]))
    assert not opened.open_ED.any()


@pytest.mark.parametrize("scope", ["edge", "neighbourhood", "graph"])
def test_every_edge_is_open_as_the_scalar_formula_says(scope: str) -> None:
    topology = load_topology("ring", DOMAINS, 5)
    network, opened = decide(topology, "opcod", config(settings=[f"gate.scope={scope}"]))
    for k, (tutor, tutee) in enumerate(zip(network.tutor_E, network.tutee_E, strict=True)):
        near = {
            "edge": [tutor, tutee],
            "neighbourhood": [tutee, *network.tutor_E[network.tutee_E == tutee]],
            "graph": range(5),
        }[scope]
        gap = 0.0
        for d in range(2):
            best = max(SCORES[i, d] for i in near)
            gap += (best - SCORES[tutor, d]) / best
        assert opened.open_ED[k].tolist() == [gap <= 0.2 + 1e-9] * 2


def test_an_ablation_overrules_students_edges_and_leaves_critics_alone() -> None:
    tree = {
        "nodes": [{"id": "a"}, {"id": "b"}, {"id": "c", "role": "critic"}],
        "edges": [
            {"tutor": "a", "tutee": "b", "gate": "never"},
            {"tutor": "b", "tutee": "a"},
            {"tutor": "c", "tutee": "a"},
        ],
    }
    topology = build_topology("t", tree, DOMAINS, "t")
    scores = np.array([[1.0, 0.7], [0.7, 1.0], [0.0, 0.0]])
    network, opcod = decide(topology, "opcod", config(), scores)
    _, always = decide(topology, "always", config(), scores)
    by_tutor = {int(t): k for k, t in enumerate(network.tutor_E)}
    assert [opcod.open_ED[by_tutor[n]].all() for n in range(3)] == [False, False, True]  # own never, closed, critic
    assert always.open_ED.all()


def test_methods_and_settings_that_are_not_modelled_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown method 'oracle'.*Allowed: .*sdpo.*coopt bench"):
        check_config(config(methods=("sdpo", "oracle")))
    with pytest.raises(ConfigError, match="Name that first"):
        check_config(config(methods=("random", "opcod")))
    with pytest.raises(ConfigError, match=r"feedback\.assign = 'committee' is not modelled"):
        check_config(config(settings=["feedback.assign=committee"]))
    check_config(config(methods=("sdpo", "opcod", "random")))
    check_config(config(methods=("random",), settings=["gate.rate=0.4"]))


# -- several tutors --------------------------------------------------------------------------------


def test_open_tutors_share_a_tutees_rollouts_equally() -> None:
    network, opened = decide(load_topology("complete", DOMAINS, 5), "opcod", config())
    for tutee in range(5):
        into = network.tutee_E == tutee
        open_D = opened.open_ED[into].sum(axis=0)
        shares = opened.share_ED[into]
        assert shares.sum(axis=0) == pytest.approx((open_D > 0).astype(float))
        assert (shares[opened.open_ED[into]] == (1 / np.maximum(open_D, 1))[0]).all()


def test_best_takes_the_smallest_gap_and_sample_weighs_gaps() -> None:
    topology = load_topology("complete", DOMAINS, 5)
    network, best = decide(topology, "always", config(settings=["feedback.assign=best"]))
    _, sample = decide(topology, "always", config(settings=["feedback.assign=sample"]))
    for tutee in range(5):
        into = np.flatnonzero(network.tutee_E == tutee)
        pairs = [(SCORES[network.tutor_E[e]], np.maximum(SCORES[network.tutor_E[e]], SCORES[tutee])) for e in into]
        gaps = np.array([((top - own) / top).sum() for own, top in pairs])
        assert best.share_ED[into, 0].tolist() == np.eye(len(into))[gaps.argmin()].tolist()
        weights = np.exp(-gaps)
        assert sample.share_ED[into, 1] == pytest.approx(weights / weights.sum())


def test_feedback_is_the_mean_over_the_open_tutors_edge_by_edge() -> None:
    topology, model = load_topology("small_world", DOMAINS, 8), ItemModel(constants().items, 8)
    network, opened = decide(topology, "random", config(), np.full((8, 2), 0.5))
    phase, contexts = network.phases[0], constants().contexts
    theta = np.random.default_rng(3).normal(0.5, 0.7, (8, 2))
    ends = Ends(theta[network.tutor_E], theta[network.tutee_E], None)  # type: ignore[arg-type]
    shares = opened.share_ED[phase.edge_E]
    rates = Calibrated(model, contexts, exclude_self=True, only_without_own=False).rates(
        ends, lambda x: phase.sum_PE @ (shares * x)
    )
    for tutee in range(8):
        for d in range(2):
            tutors = [int(t) for t, i, o in zip(network.tutor_E, network.tutee_E, opened.open_ED, strict=True)
                      if i == tutee and o[d]]  # fmt: skip
            known = [float(model.known_without(theta[[t], d], theta[[tutee], d])[0]) for t in tutors]
            expected = contexts.kept * contexts.uptake * np.mean(known) if tutors else 0.0
            assert rates.mends_PDC[tutee, d, 0] == pytest.approx(expected)
            breaks = contexts.kept * (contexts.break_both - contexts.break_own) if tutors else 0.0
            assert rates.breaks_PDC[tutee, d, 5] == pytest.approx(breaks)


# -- signals and the rule --------------------------------------------------------------------------


def brute_demonstrated(n: int, exclude_self: bool) -> list[tuple[int, int]]:
    """Wrong and right rollouts with a demonstration, by looking at every rollout."""
    found = []
    for c in range(n + 1):
        correct = [True] * c + [False] * (n - c)
        has = [any(x for k, x in enumerate(correct) if not (exclude_self and k == j)) for j in range(n)]
        found.append((sum(h and not x for h, x in zip(has, correct, strict=True)),
                      sum(h and x for h, x in zip(has, correct, strict=True))))  # fmt: skip
    return found


@pytest.mark.parametrize("exclude_self", [True, False])
def test_who_has_a_demonstration(exclude_self: bool) -> None:
    wrong, right = demonstrated(8, exclude_self)
    assert list(zip(wrong.tolist(), right.tolist(), strict=True)) == brute_demonstrated(8, exclude_self)


def test_drawn_signals_are_the_expected_ones_on_average() -> None:
    c, model = constants().contexts, ItemModel(constants().items, 8)
    shares = model.correct_shares(np.array([[0.3, -0.5]]))
    ones = np.ones((1, 2))
    rates = calibrated_rates(c, 8, ones, 0.6 * ones, 0.3 * ones, exclude_self=True)
    own, told = expected_signals(shares, rates, c, exclude_self=True)
    rng = np.random.default_rng(4)
    prompts = rng.multinomial(200_000, shares)
    drawn = draw_signals(prompts, rates, c, rng, exclude_self=True)
    assert drawn.own_PD == pytest.approx(own, rel=0.01)
    assert drawn.feedback_PD == pytest.approx(told, rel=0.02)


def test_demonstrations_never_count_against_a_student() -> None:
    c = constants(contexts__fix_own=0.0, contexts__break_own=0.5).contexts
    prompts = np.zeros((1, 1, 9), dtype=np.int64)
    prompts[..., 8] = 100
    none = Rates(np.zeros((1, 1, 9)), np.zeros((1, 1, 9)))
    assert draw_signals(prompts, none, c, np.random.default_rng(0), exclude_self=True).own_PD.item() == 0


def test_feedback_that_breaks_more_than_it_mends_takes_competence_away() -> None:
    learning = Learning(rate_own=0.1, rate_feedback=0.2, lump=0.0)
    own, told = np.array([[0.1, 0.1]]), np.array([[-0.3, 0.3]])
    native = np.array([[True, False]])
    moved = change_of_competence(own, told, 10, np.full((1, 2), 0.5), native, learning)
    assert moved[0] == pytest.approx([10 * 0.5 * (0.01 - 0.06), 10 * 0.5 * (0.01 + 0.06)])
    taxed = learning.model_copy(update={"interference": 0.5})
    disturbed = change_of_competence(own, told, 10, np.full((1, 2), 0.5), native, taxed)
    assert disturbed[0] == pytest.approx([moved[0, 0] - 0.5 * moved[0, 1], moved[0, 1]])


def test_jumps_have_the_mean_of_the_change_and_the_variance_of_their_size() -> None:
    change = np.full((100_000, 1), -0.3)
    moved = in_jumps(change, 0.1, np.random.default_rng(5))
    assert moved.mean() == pytest.approx(-0.3, abs=2e-3)
    assert moved.var() == pytest.approx(0.1 * 0.3, rel=0.03)
    assert in_jumps(change, 0.0, np.random.default_rng(5)) is change


# -- measured scores and hubs ----------------------------------------------------------------------


def test_measured_scores_have_the_noise_of_questions_and_answers() -> None:
    model, rng = ItemModel(constants().items, 8), np.random.default_rng(6)
    theta = np.full((40_000, 1), 0.4)
    drawn = measure(model, theta, rng.standard_normal(theta.shape), 200, 8, rng)
    b = rng.standard_normal((4_000, 200))
    p = 1 / (1 + np.exp(-constants().items.steepness * (0.4 - b)))
    brute = rng.binomial(8, p).mean(axis=1) / 8
    assert drawn.mean() == pytest.approx(brute.mean(), abs=2e-3)
    assert drawn.std() == pytest.approx(brute.std(), rel=0.05)
    again = measure(model, theta, np.zeros(theta.shape), 200, 8, rng)
    assert again.std() < drawn.std()
    assert drawn * 1600 == pytest.approx(np.rint(drawn * 1600), abs=1e-6)


def test_the_hub_is_who_the_topology_says() -> None:
    topology = load_topology("star", DOMAINS, 5)
    placed = place_hub(topology, SCORES, Nodes.of(topology, DOMAINS), 0)
    assert placed.graph.degree("s4") == 8
    weakest = place_hub(load_topology("star_weakest", DOMAINS, 5), SCORES, Nodes.of(topology, DOMAINS), 0)
    assert weakest.graph.degree("s3") == 8
    assert nx.is_isomorphic(placed.graph, topology.graph)
