"""Gates: the paper's examples, scopes, edge cases, and the noise of a decision."""

from __future__ import annotations

import pytest

from coopt.config.schema import GateConfig
from coopt.errors import ConfigError
from coopt.gates.cognizance import Cognizance, cognizance_gap
from coopt.gates.journaled import decide_edge
from coopt.gates.registry import make_gate
from coopt.graph.topology import Edge, build_topology

PAIR = build_topology("pair", {"nodes": [{"id": "a"}, {"id": "b"}], "edges": [
    {"tutor": "a", "tutee": "b"}, {"tutor": "b", "tutee": "a"}]}, ["physics", "chemistry"], "test")  # fmt: skip
AB, BA = Edge("a", "b"), Edge("b", "a")


def test_the_papers_example_is_closed_both_ways() -> None:
    scores = {"a": {"physics": 1.0, "chemistry": 0.7}, "b": {"physics": 0.7, "chemistry": 1.0}}
    for edge in (AB, BA):
        decision = Cognizance(0.2).decide(edge, scores, PAIR)
        assert not decision.open
        assert decision.gap == pytest.approx(0.3)
        assert decision.reason == "incognizant"


def test_more_equal_domains_do_not_open_it() -> None:
    extra = {"materials": 0.5, "biology": 0.5}
    scores = {"a": {"physics": 1.0, "chemistry": 0.7, **extra}, "b": {"physics": 0.7, "chemistry": 1.0, **extra}}
    assert not Cognizance(0.2).decide(AB, scores, PAIR).open


def test_open_at_the_threshold_whatever_the_rounding() -> None:
    scores = {"a": {"physics": 0.8, "chemistry": 0.3}, "b": {"physics": 1.0, "chemistry": 0.3}}
    assert Cognizance(0.2).decide(AB, scores, PAIR).open
    assert Cognizance(0.2).decide(BA, scores, PAIR).gap == 0


def test_a_domain_nobody_solves_counts_nothing_and_all_such_domains_close_it() -> None:
    scores = {"a": {"physics": 0.0, "chemistry": 0.9}, "b": {"physics": 0.0, "chemistry": 1.0}}
    assert cognizance_gap("a", ["a", "b"], scores) == pytest.approx(0.1)
    nothing = {"a": {"physics": 0.0, "chemistry": 0.0}, "b": {"physics": 0.0, "chemistry": 0.0}}
    decision = Cognizance(0.2).decide(AB, nothing, PAIR)
    assert (decision.open, decision.reason) == (False, "no_signal")


@pytest.mark.parametrize("scope", ["edge", "neighbourhood", "graph"])
def test_all_scopes_are_the_papers_rule_for_a_pair(scope: str) -> None:
    scores = {"a": {"physics": 0.9, "chemistry": 0.8}, "b": {"physics": 0.8, "chemistry": 1.0}}
    gate = make_gate(GateConfig(scope=scope))  # type: ignore[arg-type]
    decision = gate.decide(AB, scores, PAIR)
    assert (decision.gap, decision.threshold, decision.open) == (pytest.approx(0.2), 0.2, True)


def test_scopes_differ_on_a_chain() -> None:
    nodes = [{"id": n} for n in "abc"]
    edges = [{"tutor": "a", "tutee": "b"}, {"tutor": "c", "tutee": "b"}]
    chain = build_topology("chain", {"nodes": nodes, "edges": edges}, ["physics"], "test")
    scores = {"a": {"physics": 0.6}, "b": {"physics": 0.6}, "c": {"physics": 1.0}}
    gaps = {s: Cognizance(0.2, s).decide(AB, scores, chain) for s in ("edge", "neighbourhood", "graph")}  # type: ignore[arg-type]
    assert gaps["edge"].gap == 0
    assert gaps["neighbourhood"].gap == gaps["graph"].gap == pytest.approx(0.4)
    assert gaps["graph"].threshold == pytest.approx(0.1)


def test_a_decision_carries_its_noise() -> None:
    def result(right: int) -> dict[str, object]:
        return {"domains": {"physics": {"correct": [[1]] * right + [[0]] * (100 - right)}}}

    near = decide_edge(Cognizance(0.2), AB, {"a": result(80), "b": result(99)}, PAIR, 500, "k")
    far = decide_edge(Cognizance(0.2), AB, {"a": result(20), "b": result(99)}, PAIR, 500, "k")
    assert near["open"]
    assert near["gap_low"] < near["gap"] < near["gap_high"]
    assert near["flip"] > 0.2
    assert far["flip"] == 0
    assert not far["open"]


def test_unknown_gate_names_the_allowed_ones() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'cognizance'.*always, cognizance, never"):
        make_gate(GateConfig(kind="cognisance"))
