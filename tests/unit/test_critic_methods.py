"""Methods whose tutors are frozen critics, and self-distillation on the reference solution."""

from __future__ import annotations

from pathlib import Path

from coopt.graph.files import load_topology
from coopt.graph.topology import Edge, EdgeSettings
from coopt.methods.critics import with_critics

DOMAINS = ("physics", "chemistry")


def test_critics_are_added_where_the_graph_has_none() -> None:
    found = with_critics(load_topology("ring", DOMAINS, 3), 2, "naive")
    assert found.critics == ["critic1", "critic2"]
    assert found.edges == [Edge(c, s) for c in found.critics for s in found.students]
    assert found.reviews == {("critic1", "critic2"), ("critic2", "critic1")}
    assert set(found.settings.values()) == {EdgeSettings("", "naive")}
    assert with_critics(load_topology("one_peer_exponential", DOMAINS, 4), 1).varies == ""


def test_the_runs_own_critics_are_taken_as_they_are() -> None:
    own = load_topology("fair_committee", DOMAINS)
    found = with_critics(own, 1)
    assert (found.edges, found.reviews, found.nodes) == (own.edges, own.reviews, own.nodes)


def test_a_students_name_is_not_taken_and_its_edges_go(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        "nodes = [{id='critic1'}, {id='critic2', role='critic'}, {id='s'}]\nedges = [{tutor='s', tutee='critic1'}]\n"
    )
    found = with_critics(load_topology(str(file), DOMAINS), 1)
    assert found.edges == [Edge("critic3", "critic1"), Edge("critic3", "s")]
