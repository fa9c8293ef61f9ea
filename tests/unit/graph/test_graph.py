"""Topologies and schedules."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest

from coopt.core.errors import ConfigError, TopologyError
from coopt.core.names import resolve_domains
from coopt.graph.files import load_topology, topology_names
from coopt.graph.schedule import phases
from coopt.graph.topology import Edge, EdgeSettings, Topology

DOMAINS = ["physics", "chemistry"]


def written(folder: Path, text: str, name: str = "g.toml") -> Topology:
    path = folder / name
    path.write_text(text)
    return load_topology(str(path), DOMAINS)


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
        ("nodes = []", "no trainable student. Add a"),
        ("nodes = [{id='a', role='critic'}]", "no trainable student. Add a"),
        ("[[nodes]]\nname = 'a'", "unknown node key 'name'"),
        ("[[nodes]]\nid = 'a b'", "needs an 'id'"),
        ("nodes = [{id='mutual'}]", "'mutual': coopt itself uses this name"),
        ("nodes = [{id='Scores'}]", "'Scores': coopt itself uses this name"),
        (f"nodes = [{{id='{'a' * 41}'}}]", "needs an 'id' of letters, digits, '-' and '_', at most 40"),
        ("nodes = [{id='s1'}, {id='S1'}]", "nodes 's1' and 'S1' are one name where case makes no difference"),
        ("nodes = [{id='s1'}, {id='ｓ1', role='critic'}]", "nodes 's1' and 'ｓ1' are one name where case"),
        ("nodes = [{id='a'}, {id='a'}]", "'a' appears twice"),
        ("nodes = [{id='a'}]\nedges = [{tutor='a', tutee='a'}]", "a -> a is a self-loop"),
        ("nodes = [{id='a'}]\nedges = [{tutor='b', tutee='a'}]", "tutor 'b' is not a node. Nodes: a"),
        ("nodes = [{id='a'}, {id='b'}]\nedges = [{tutor='a', tutee='b'}, {tutor='a', tutee='b'}]", "appears twice"),
        ("nodes = [{id='a', native='biology'}]", "native to biology, which is not among"),
        ("nodes = [", "not TOML"),
        ("nodes = 3", "must be a list of tables"),
        ("nodez = []", "unknown key 'nodez'. Did you mean 'nodes'"),
        ("hub = 'strong'\nnodes = [{id='a'}]", "unknown hub 'strong'. Did you mean 'strongest'"),
        ("varies = 'daily'\nnodes = [{id='a'}]", "unknown varies 'daily'"),
        ("varies = 'random_matching'\nnodes = [{id='a'}, {id='b'}]", "edges are not their union"),
        ("hub = 'random'\nnodes = [{id='c', role='critic'}, {id='a'}]", "'c' is a critic. List a student first"),
    ],
)
def test_a_bad_graph_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TopologyError, match=f"g.toml: .*{message}"):
        written(tmp_path, text)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("role='tutor'", "unknown role 'tutor'. Allowed: critic, student"),
        ("native='astro'", "is native to astro, which is not among the run's domains"),
        ("train_domains=['mat']", "train_domains materials holds none of the run's domains physics, chemistry"),
        ("train_domains='phys,phys'", "train_domains: .*names physics twice"),
        ("train_domains=['phys']", "no student is trained on chemistry. Add it"),
        ("role='critic', train_domains=['phys']", "a critic is not trained"),
        ("snapshot_of='a'", "snapshot_of is for critics"),
        ("endpoint='http://x', model='m'", "endpoint is for critics"),
        ("role='critic', snapshot_of='s', model='m'", "snapshot_of excludes model and endpoint"),
        ("role='critic', snapshot_of='t'", "snapshot_of = 't' is not a student. Students: s"),
        ("role='critic', endpoint='http://x'", "endpoint needs model"),
        ("role='critic', endpoint='x:80', model='m'", "endpoint is not an http"),
        ("model=3", "model must be text, got 3"),
    ],
)
def test_a_bad_node_is_named(tmp_path: Path, node: str, message: str) -> None:
    student = "{id='s', train_domains=['phys']}"
    with pytest.raises(TopologyError, match=f"g.toml: .*{message}"):
        written(tmp_path, f"nodes = [{student}, {{id='n', {node}}}]")


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ("{tutor='a', tutee='c'}", "edge a -> c: 'c' is a critic and learns nothing. Reverse the edge"),
        ("{tutor='a', tutor_='b'}", "unknown edge key 'tutor_'"),
        ("{kind='critique', tutor='a', tutee='b'}", "unknown edge kind 'critique'. Allowed: review, tutor"),
        ("{tutor='a', tutee='b', style='kind'}", "edge a -> b: unknown style 'kind'. Allowed: anchored, naive"),
        ("{tutor='a', tutee='b', gate=1}", "edge a -> b: gate must be text"),
        ("{tutor='a'}", "edge a -> None: tutee 'None' is not a node"),
        ("{kind='review', tutor='a', tutee='b'}", "unknown review edge key 'tutor'"),
        ("{kind='review', reviewer='c', reviewed='d'}", "reviewed 'd' is not a node"),
        ("{kind='review', reviewer='c', reviewed='c'}", "c -> c is a self-loop"),
        (
            "{tutor='a', tutee='b'}, {kind='review', reviewer='b', reviewed='a'}",
            "review edge b -> a: reviewer 'b' tutors nobody",
        ),
        (
            "{tutor='a', tutee='b'}, {kind='review', reviewer='a', reviewed='c'}",
            "review edge a -> c: reviewed 'c' tutors nobody",
        ),
        (
            "{tutor='a', tutee='b'}, {tutor='b', tutee='a'}, "
            "{kind='review', reviewer='a', reviewed='b'}, {kind='review', reviewer='a', reviewed='b'}",
            "review edge a -> b appears twice",
        ),
    ],
)
def test_a_bad_edge_is_named(tmp_path: Path, edges: str, message: str) -> None:
    with pytest.raises(TopologyError, match=f"g.toml: .*{message}"):
        written(tmp_path, f"nodes = [{{id='a'}}, {{id='b'}}, {{id='c', role='critic'}}]\nedges = [{edges}]")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("nodes = 4", "needs graph = NAME"),
        ("graph = 'cycle_graph'", "needs nodes, a number of at least 1"),
        ("graph = 'cycle_graph'\nnodes = 0", "needs nodes, a number of at least 1"),
        ("graph = 'cycle_graph'\nnodes = true", "needs nodes, a number of at least 1"),
        ("graph = 'cycle_graph'\nnodes = 4\nn = 5", "n = 5: the number of nodes is written nodes"),
        ("graph = 'cicle_graph'\nnodes = 4", "unknown graph 'cicle_graph'. Did you mean 'cycle_graph'"),
        ("graph = 'read_gml'\nnodes = 4", "unknown graph 'read_gml'"),
        ("graph = 'cycle_graph'\nnodes = 4\np = 1", "cycle_graph with 4 nodes: .*unexpected keyword argument 'p'"),
        ("graph = 'random_regular_graph'\nnodes = 5\nd = 3", "5 nodes: n . d must be even"),
        ("graph = 'two_cliques'\nnodes = 5", "two cliques need an even number of nodes"),
        ("graph = 'cycle_graph'\nnodes = 4\ndirected = 'yes'", "directed = 'yes': it is true or false"),
        ("graph = 'star'\nnodes = 4\ndirected = true", "leave out directed"),
        ("graph = 'ladder_graph'\nnodes = 4\ndirected = true", "Directed Graph not supported"),
        ("graph = 'random_geometric_graph'\nnodes = 4\nradius = 1\ndirected = true", "undirected only; leave out"),
    ],
)
def test_a_bad_generator_is_named(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(TopologyError, match=rf"g.toml: \[generator\] .*{message}"):
        written(tmp_path, f"[generator]\n{table}")


def test_a_file_lists_or_generates_its_nodes(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="has a \\[generator\\] or \\[\\[nodes\\]\\], not both"):
        written(tmp_path, "nodes = [{id='a'}]\n[generator]\ngraph = 'star'\nnodes = 3")
    with pytest.raises(TopologyError, match="must be a table"):
        written(tmp_path, "generator = 3")
    with pytest.raises(TopologyError, match="--nodes is for graphs with a \\[generator\\]"):
        load_topology("pair", DOMAINS, nodes=3)
    assert len(load_topology("ring", DOMAINS, nodes=7).students) == 7


def test_directed_generators(tmp_path: Path) -> None:
    ring = load_topology("directed_ring", DOMAINS, 5)
    assert ring.edges == [Edge(f"s{k + 1}", f"s{(k + 1) % 5 + 1}") for k in range(5)]
    table = "[generator]\ngraph = 'gnp_random_graph'\nnodes = 9\np = 0.4\n"
    directed = written(tmp_path, table + "directed = true").graph
    assert any(not directed.has_edge(b, a) for a, b in directed.edges)
    both_ways = written(tmp_path, table).graph
    assert all(both_ways.has_edge(b, a) for a, b in both_ways.edges)
    assert set(written(tmp_path, table).edges) == set(both_ways.edges)  # no seed given: seed 0


# -- networkx files ------------------------------------------------------------------------------------


def committee() -> nx.DiGraph[str]:
    """A student and two critics; one critic reviews the other."""
    graph: nx.DiGraph[str] = nx.DiGraph(description="a small committee")
    graph.add_node("s", native="chem", train_domains="phys,chem")
    graph.add_node("c", role="critic")
    graph.add_node("d", role="critic", snapshot_of="s")
    graph.add_edge("c", "s", gate="never", style="naive", weight=2.0)
    graph.add_edge("d", "s")
    graph.add_edge("c", "d", kind="review")
    return graph


@pytest.mark.parametrize("kind", ["links.json", "edges.json", "graphml"])
def test_networkx_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"g.{kind}"
    if kind == "graphml":
        graph = committee()
        graph.graph.clear()
        nx.write_graphml(graph, path)
    else:
        path.write_text(json.dumps(nx.node_link_data(committee(), edges=kind.split(".")[0])))
    topology = load_topology(str(path), DOMAINS)
    assert (topology.students, topology.critics) == (["s"], ["c", "d"])
    assert (topology.native["s"], topology.trained_on("s", ("physics", "chemistry"))) == (
        "chemistry",
        ("physics", "chemistry"),
    )
    assert set(topology.edges) == {("c", "s"), ("d", "s")}
    assert topology.reviews == {("c", "d")}
    assert topology.settings == {Edge("c", "s"): EdgeSettings("never", "naive")}
    assert topology.nodes["d"].snapshot_of == "s"
    assert topology.description == ("" if kind == "graphml" else "a small committee")
    assert (topology.reviewers_of("d"), topology.reviewers_of("c")) == (["c"], [])


@pytest.mark.parametrize("suffix", ["json", "graphml"])
def test_an_undirected_networkx_file_runs_both_ways(tmp_path: Path, suffix: str) -> None:
    graph = nx.path_graph(3)
    path = tmp_path / f"g.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(nx.node_link_data(graph, edges="edges")))
    else:
        nx.write_graphml(graph, path)
    topology = load_topology(str(path), DOMAINS)
    assert topology.students == ["0", "1", "2"]
    assert set(topology.edges) == {("0", "1"), ("1", "0"), ("1", "2"), ("2", "1")}


def _linked(target: str = "s2", node: str = "", again: str = "", **rules: str) -> str:
    """Node-link data of s1 -> ``target``, with a node or an edge more, and keys of the graph or of nobody."""
    nodes = [{"id": n} for n in ("s1", "s2", node) if n]
    edges = [{"source": "s1", "target": t} for t in (target, again) if t]
    inside = {"graph": {"hub": rules.pop("hub")}} if "hub" in rules else {}
    return json.dumps({"directed": True, "nodes": nodes, "edges": edges} | inside | rules)


def _graphml(inside: str) -> str:
    space = "http://graphml.graphdrawing.org/xmlns"
    return f'<graphml xmlns="{space}"><graph edgedefault="directed">{inside}</graph></graphml>'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.json", "{", "not JSON"),
        ("g.json", "[]", "not networkx node-link JSON .no object with nodes and edges"),
        ("g.json", "{}", "not networkx node-link JSON .'nodes'"),
        ("g.json", '{"nodes": 3, "edges": []}', "not networkx node-link JSON"),
        ("g.json", '{"nodes": [{"id": "a", "rôle": 1}], "edges": []}', "unknown node key 'rôle'"),
        ("g.json", _linked(target="s3"), ".*edge s1 -> s3: tutee 's3' is not a node"),
        ("g.json", _linked(node="s2"), ".*'s2'.*twice"),
        ("g.json", _linked(again="s2"), ".*s1 -> s2 appears twice"),
        ("g.json", _linked(hub="s1"), ".*hub"),
        ("g.json", _linked(colour="red"), ".*unknown key 'colour'"),
        ("g.json", '{"nodes": [], "links": [], "edges": []}', ".*both links and edges"),
        ("g.json", '{"nodes": [], "edges": [], "hubs": 1}', ".*unknown key 'hubs'"),
        ("g.graphml", _graphml('<node id="s1"/><edge source="s1" target="s3"/>'), ".*'s3' is not a node"),
        ("g.graphml", _graphml('<node id="s1"/><node id="s1"/>'), ".*node 's1' appears twice"),
        ("g.graphml", _graphml('<node id="s1"/></graph><graph><node id="s2"/>'), ".*several graphs: keep one"),
        ("g.graphml", _graphml('<node id="s1"><graph><node id="s2"/></graph></node>'), ".*several graphs: keep one"),
        ("g.graphml", "", "not XML"),
        ("g.graphml", "<graphml/>", "not GraphML"),
    ],
)
def test_a_bad_networkx_file_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(TopologyError, match=f"{name}: {message}"):
        written(tmp_path, text, name)


@pytest.mark.parametrize("suffix", ["toml", "json", "graphml"])
def test_bytes_that_are_no_text(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"g.{suffix}").write_bytes(b"\xfe")
    with pytest.raises(TopologyError, match=f"g.{suffix}: not UTF-8 text"):
        load_topology(str(tmp_path / f"g.{suffix}"), DOMAINS)


# -- graphs that change, and hubs ----------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [2, 3, 6, 8])
def test_one_peer_exponential_rounds(nodes: int) -> None:
    topology = load_topology("one_peer_exponential", DOMAINS, nodes)
    hops = (nodes - 1).bit_length()
    drawn = [topology.in_round(r, 0) for r in range(1, hops + 1)]
    for now in drawn:
        assert [len(now.tutors_of(s)) for s in now.students] == [1] * nodes
        assert now.students == topology.students
    assert {e for now in drawn for e in now.edges} == set(topology.edges)
    assert topology.in_round(hops + 1, 0).edges == drawn[0].edges
    assert topology.in_round(1, 5).edges == drawn[0].edges  # no seed enters


@pytest.mark.parametrize("nodes", [2, 5, 8])
def test_random_matching_rounds(nodes: int) -> None:
    topology = load_topology("random_matching", DOMAINS, nodes)
    drawn = [topology.in_round(r, 3) for r in range(1, 200)]
    for now in drawn:
        assert set(now.edges) == {Edge(b, a) for a, b in now.edges}
        assert sorted(len(now.tutors_of(s)) for s in now.students) == [0] * (nodes % 2) + [1] * (nodes - nodes % 2)
    assert {e for now in drawn for e in now.edges} == set(topology.edges)
    assert [topology.in_round(r, 3).edges for r in range(1, 9)] == [now.edges for now in drawn[:8]]
    assert nodes == 2 or [topology.in_round(r, 4).edges for r in range(1, 9)] != [now.edges for now in drawn[:8]]


def test_a_fixed_graph_is_itself_in_every_round() -> None:
    ring = load_topology("ring", DOMAINS)
    assert ring.in_round(3, 1) is ring


def test_placed_swaps_the_edges_and_not_the_selves(tmp_path: Path) -> None:
    star = load_topology("star_weakest", DOMAINS)
    placed = star.placed("s3")
    assert sorted(placed.tutors_of("s3")) == ["s1", "s2", "s4"]
    assert placed.tutors_of("s1") == ["s3"]
    assert (placed.native, placed.students, placed.hub) == (star.native, star.students, "")
    assert set(star.placed("s1").edges) == set(star.edges)
    gated = written(
        tmp_path,
        "hub = 'strongest'\nnodes = [{id='a'}, {id='b'}, {id='c'}]\n"
        "edges = [{tutor='a', tutee='b', gate='always'}, {tutor='b', tutee='a'}, {tutor='a', tutee='c'}]",
    )
    assert gated.placed("b").settings == {Edge("b", "a"): EdgeSettings("always")}
    assert set(gated.placed("b").edges) == {("b", "a"), ("a", "b"), ("b", "c")}


def test_reviews_move_with_the_hub(tmp_path: Path) -> None:
    judged = written(
        tmp_path,
        "hub = 'strongest'\nnodes = [{id='a'}, {id='b'}, {id='c'}]\n"
        "edges = [{tutor='a', tutee='c'}, {tutor='b', tutee='c'}, {kind='review', reviewer='a', reviewed='b'}]",
    )
    placed = judged.placed("b")
    assert (placed.reviewers_of("a"), placed.reviewers_of("b")) == (["b"], [])


def test_unknown_names() -> None:
    with pytest.raises(TopologyError, match=r"unknown topology 'piar'. Did you mean 'pair'"):
        load_topology("piar", DOMAINS)
    with pytest.raises(ConfigError, match=r"domain 'as/tro' is not a plain name. Use letters"):
        resolve_domains("phys,as/tro")
    assert resolve_domains("phys,Law,computer_science") == ("physics", "law", "computer_science")
