"""Whole simulated runs: order of phases, reproducibility, what may never happen, and graphs of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.core.config.load import load_config
from coopt.driver.simulate.constants import Constants
from coopt.driver.simulate.dynamics import World, simulate
from coopt.driver.simulate.history import History
from coopt.graph.build import build_topology
from coopt.graph.files import load_topology
from tests.unit.simulated_runs import change_ND, constants

DOMAINS = ("physics", "chemistry")


def world(topology: str = "ring", nodes: int | None = None, model: Constants | None = None, **flags: object) -> World:
    settings = load_config(topology=topology, nodes=nodes, domains="phys,chem", **flags)  # type: ignore[arg-type]
    return World(load_topology(topology, settings.domains, nodes), settings, model or constants())


def play(method: str = "opcod", seed: int = 0, **flags: object) -> History:
    return simulate(world(**flags), method, seed, matched_rate=0.5)  # type: ignore[arg-type]


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    first, again, other = play(nodes=20), play(nodes=20), play(nodes=20, seed=1)
    assert (first.measured_RND == again.measured_RND).all()
    assert (first.open_R == again.open_R).all()
    assert (first.measured_RND != other.measured_RND).any()


def test_all_methods_of_a_seed_start_alike() -> None:
    starts = [play(m, nodes=10).measured_RND[0] for m in ("sdpo", "opcod", "always", "random", "domain_selective")]
    assert all((s == starts[0]).all() for s in starts)


def test_sdpo_is_opcod_behind_a_gate_that_never_opens() -> None:
    alone, never = play("sdpo", nodes=8), play("never", nodes=8)
    assert (alone.accuracy_RND == never.accuracy_RND).all()
    assert never.open_R.sum() == 0
    assert never.edges_R[1] == 16


def test_self_distillation_never_makes_a_student_worse_however_long() -> None:
    history = play("sdpo", nodes=30, settings=["rounds.rounds=40"])
    assert (np.diff(history.accuracy_RND, axis=0) >= 0).all()


def test_simultaneous_tutors_are_snapshots_and_sequential_ones_the_newest() -> None:
    """Of a chain that is tutored from one end, only the sequential schedule carries the news on in one round."""
    edges = [{"tutor": "a", "tutee": "b"}, {"tutor": "b", "tutee": "c"}]
    tree = {"nodes": [{"id": n, "native": "physics"} for n in "abc"], "edges": edges}
    topology = build_topology("chain", tree, DOMAINS, "chain")
    model = constants(learning__rate_own=0.0, learning__rate_feedback=5.0, learning__lump=0.0, items__common=0.0,
                      contexts__harm=0.0, contexts__noise=0.0)  # fmt: skip
    start = np.array([[3.0, 3.0], [-3.0, -3.0], [-3.0, -3.0]])
    ends = {}
    for schedule in ("simultaneous", "sequential"):
        settings = load_config(domains="phys,chem", settings=["rounds.rounds=1", f"rounds.schedule={schedule}"])
        ends[schedule] = simulate(World(topology, settings, model), "always", 0, start_ND=start).accuracy_RND[-1]
    assert ends["simultaneous"][1].min() > 0.5
    assert ends["simultaneous"][2].max() < 0.02
    assert ends["sequential"][2].min() > 0.1


def test_a_sequential_round_trains_every_student_once() -> None:
    fast = constants(learning__lump=0.0)
    apart = simulate(world("ring", 9, fast, settings=["rounds.schedule=sequential"]), "sdpo", 0)
    together = simulate(world("ring", 9, fast), "sdpo", 0)
    assert change_ND(apart).mean() == pytest.approx(change_ND(together).mean(), rel=0.1)
    assert (change_ND(apart) > 0).all()


def test_long_rounds_are_looked_at_again_and_again() -> None:
    """Without tutors, 2 rounds of 25 steps and 1 round of 50 are the same model."""
    fast = constants(learning__lump=0.0)
    two = simulate(world("ring", 200, fast, settings=["rounds.rounds=2", "rounds.steps=25"]), "sdpo", 0)
    one = simulate(world("ring", 200, fast, settings=["rounds.rounds=1", "rounds.steps=50"]), "sdpo", 0)
    assert change_ND(one).mean() == pytest.approx(change_ND(two).mean(), rel=0.02)


@pytest.mark.parametrize(
    ("name", "edges"),
    [("pair", 2), ("complete", 12), ("star", 6), ("chain", 6), ("directed_ring", 4), ("random_regular", 24),
     ("two_cliques", 26), ("solo", 0), ("critic", 1), ("self_critic", 1), ("fair_committee", 3)],
)  # fmt: skip
def test_every_shipped_kind_of_graph_is_played(name: str, edges: int) -> None:
    history = play(topology=name, settings=["rounds.rounds=2"])
    assert history.edges_R[1] == edges
    assert np.isfinite(history.accuracy_RND).all()


@pytest.mark.parametrize("name", ["one_peer_exponential", "random_matching"])
def test_graphs_that_change_have_one_tutor_a_student_and_round(name: str) -> None:
    history = play("always", topology=name, nodes=8)
    assert history.edges_R.tolist() == [0, 8, 8, 8, 8]
    assert history.tutored_R[1:].tolist() == [1.0] * 4


def test_critics_do_not_learn_and_a_snapshot_stays_its_students_start() -> None:
    history = play("always", topology="self_critic")
    student, critic = history.nodes.names.index("s1"), history.nodes.names.index("before")
    assert (history.accuracy_RND[:, critic] == history.accuracy_RND[0, student]).all()
    assert history.accuracy_RND[-1, student].mean() > history.accuracy_RND[0, student].mean()


def test_a_domain_that_a_node_is_not_trained_on_does_not_move() -> None:
    tree = {"nodes": [{"id": "a", "train_domains": "phys"}, {"id": "b"}], "edges": [{"tutor": "b", "tutee": "a"}]}
    topology = build_topology("t", tree, DOMAINS, "t")
    history = simulate(World(topology, load_config(domains="phys,chem"), constants()), "always", 0)
    assert (history.accuracy_RND[:, 0, 1] == history.accuracy_RND[0, 0, 1]).all()
    assert history.accuracy_RND[-1, 0, 0] > history.accuracy_RND[0, 0, 0]


def test_a_student_that_falls_far_under_its_start_is_not_trained_on() -> None:
    harmful = constants(contexts__break_both=0.9, learning__rate_feedback=3.0)
    history = simulate(world("pair", model=harmful, settings=["rounds.rounds=6"]), "always", 0)
    assert (history.collapsed_N > 0).all()
    at = int(history.collapsed_N.max())
    assert (history.accuracy_RND[at:] == history.accuracy_RND[at]).all()


def test_open_share_and_consensus_are_recorded() -> None:
    history = play("always", nodes=10)
    assert history.open_share == 1.0
    assert (history.disagreement_RD[-1] < history.disagreement_RD[0]).all()
