"""Topologies and schedules."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest

from coopt.domains.names import resolve_domains
from coopt.errors import ConfigError, TopologyError
from coopt.graph.files import load_topology, topology_names
from coopt.graph.schedule import phases

DOMAINS = ["physics", "chemistry"]


@pytest.mark.parametrize("name", topology_names())
def test_every_shipped_topology_loads(name: str) -> None:
    topology = load_topology(name, DOMAINS)
    assert topology.students
    assert topology.description
    assert [topology.native[s] for s in topology.students][:2] == DOMAINS[: len(topology.students)]


def test_phases() -> None:
    ring = load_topology("ring", DOMAINS)
    assert phases(ring, "simultaneous") == [["s1", "s2", "s3", "s4"]]
    colours = phases(ring, "sequential")
    assert sorted(s for phase in colours for s in phase) == ["s1", "s2", "s3", "s4"]
    undirected = ring.graph.to_undirected()
    for phase in colours:
        assert nx.subgraph(undirected, phase).number_of_edges() == 0
    assert phases(load_topology("pair", DOMAINS), "sequential") == [["s1"], ["s2"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nodes = []", "no trainable student"),
        ("[[nodes]]\nname = 'a'", "unknown node key 'name'"),
        ("[[nodes]]\nid = 'a b'", "needs an 'id'"),
        ("nodes = [{id='mutual'}]", "'mutual': the tables use this name"),
        ("nodes = [{id='a'}, {id='a'}]", "'a' appears twice"),
        ("nodes = [{id='a'}]\nedges = [{tutor='a', tutee='a'}]", "a -> a is a self-loop"),
        ("nodes = [{id='a'}]\nedges = [{tutor='b', tutee='a'}]", "tutor 'b' is no node. Nodes: a"),
        ("nodes = [{id='a'}, {id='b'}]\nedges = [{tutor='a', tutee='b'}, {tutor='a', tutee='b'}]", "appears twice"),
        ("nodes = [{id='a', native='biology'}]", "native to biology, which is not among"),
        ("nodes = [", "not TOML"),
        ("nodes = 3", "must be a list of tables"),
    ],
)
def test_a_bad_graph_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "g.toml"
    path.write_text(text)
    with pytest.raises(TopologyError, match=f"g.toml: .*{message}"):
        load_topology(str(path), DOMAINS)


def test_unknown_names() -> None:
    with pytest.raises(TopologyError, match=r"unknown topology 'piar'. Did you mean 'pair'"):
        load_topology("piar", DOMAINS)
    with pytest.raises(ConfigError, match="unknown domain"):
        resolve_domains("phys,astro")
