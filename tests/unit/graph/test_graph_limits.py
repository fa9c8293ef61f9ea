"""A graph that would not fit is refused before it is built, in one line and at once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from coopt.core.errors import TopologyError
from coopt.graph import apart
from coopt.graph.files import load_topology, topology_names
from coopt.graph.generate import _Bounded, _BoundedDirected, called, ends_of, generate

DOMAINS = ["physics", "chemistry"]


@pytest.mark.parametrize(
    "table",
    [
        {"graph": "complete_graph", "nodes": 6000},
        {"graph": "random_matching", "nodes": 6000},
        {"graph": "cycle_graph", "nodes": 10**12},
        {"graph": "gnp_random_graph", "nodes": 100_000, "p": 0.0},
        {"graph": "fast_gnp_random_graph", "nodes": 100_000, "p": 0.5, "directed": True},
        {"graph": "watts_strogatz_graph", "nodes": 100_000, "k": 99_998, "p": 0.0},
        {"graph": "random_regular_graph", "nodes": 100_000, "d": 99_998},
        {"graph": "barabasi_albert_graph", "nodes": 10_000, "m": 10**13},
        {"graph": "circulant_graph", "nodes": 400_000, "offsets": list(range(1, 2000))},
    ],
)
def test_a_graph_that_would_not_fit(table: dict[str, object]) -> None:
    began = time.process_time()
    with pytest.raises(TopologyError) as found:
        generate(table, None, "x.toml")
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 200
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "table",
    [
        {"graph": "hypercube_graph", "nodes": 24},
        {"graph": "sudoku_graph", "nodes": 60},
        {"graph": "kneser_graph", "nodes": 40, "k": 20},
        {"graph": "grid_2d_graph", "nodes": 3000, "m": 9_000_000},
        {"graph": "random_regular_graph", "nodes": 100, "d": 97},
        {"graph": "duplication_divergence_graph", "nodes": 3000, "p": 1e-300},
        {"graph": "watts_strogatz_graph", "nodes": 3000, "k": 2998, "p": 1.0},
        {"graph": "powerlaw_cluster_graph", "nodes": 3000, "m": 2000, "p": 1.0},
    ],
    ids=lambda table: table["graph"],
)
def test_a_graph_whose_making_does_not_end(table: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes that are exponential in the number, or pairs that are drawn until one is left."""
    monkeypatch.setattr("coopt.graph.apart.SECONDS", 1)
    began = time.process_time()
    with pytest.raises(TopologyError, match=r"more than 1 s or 4 GiB\. Take another graph\.$"):
        generate(table, None, "x.toml")
    assert time.process_time() - began < 1, "this process waits"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"graph": "waxman_graph", "nodes": 12, "alpha": 0.0}, "division by zero"),
        ({"graph": "gnp_random_graph", "nodes": 5, "p": float("nan")}, "p is nan"),
        ({"graph": "turan_graph", "nodes": 5, "r": []}, "5 nodes: "),
        ({"graph": "connected_watts_strogatz_graph", "nodes": 8, "k": 2, "p": 0.5, "tries": "x"}, "8 nodes: "),
    ],
)
def test_numbers_that_a_generator_cannot_take_are_one_line(table: dict[str, object], says: str) -> None:
    with pytest.raises(TopologyError, match=says) as found:
        generate(table, None, "x.toml")
    assert "\n" not in str(found.value)


def test_a_graph_that_was_made_apart_is_the_same() -> None:
    for table, directed in (
        ({"graph": "waxman_graph", "nodes": 30, "beta": 0.9, "seed": 3}, False),
        ({"graph": "scale_free_graph", "nodes": 12, "seed": 1}, True),
        ({"graph": "random_regular_graph", "nodes": 8, "d": 6}, False),
    ):
        options = {key: value for key, value in table.items() if key not in ("graph", "nodes")}
        graph = called(str(table["graph"]), int(str(table["nodes"])), dict(options), False)
        assert graph.is_directed() == directed
        found = generate(table, None, "x.toml")
        assert found.nodes == len(graph)
        assert found.ends_E2.tolist() == ends_of(graph).tolist()
        assert len(found.ends_E2)


def test_shipped_graphs_need_no_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_answer", lambda order: pytest.fail(f"another process for {order}"))
    for name in topology_names():
        load_topology(name, DOMAINS)
    for name, nodes in (("ring", 9000), ("random_regular", 5000), ("small_world", 5000), ("complete", 250)):
        assert len(load_topology(name, DOMAINS, nodes).students) == nodes


@pytest.mark.parametrize("directed", [False, True])
def test_a_graph_is_counted_while_it_is_made(directed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = _BoundedDirected if directed else _Bounded
    monkeypatch.setattr(kind, "most", 100)
    for name, more in (
        ("barabasi_albert_graph", {"m": 30}),
        ("fast_gnp_random_graph", {"p": 0.9}),
        ("complete_graph", {}),
    ):
        if directed and name != "complete_graph":
            continue
        with pytest.raises(TopologyError, match="more than"):
            generate({"graph": name, "nodes": 50, "directed": directed, **more}, None, "x.toml")
    assert generate({"graph": "cycle_graph", "nodes": 50, "directed": directed}, None, "x.toml").nodes == 50


def test_an_error_names_the_first_of_many_nodes(tmp_path: Path) -> None:
    file = tmp_path / "many.toml"
    nodes = "\n".join(f'[[nodes]]\nid = "n{k}"' for k in range(5000))
    file.write_text(nodes + '\n[[edges]]\ntutor = "x"\ntutee = "n1"\n')
    with pytest.raises(TopologyError, match=r"n19, \.\.\. \(5,000 in all\)") as found:
        load_topology(str(file), DOMAINS)
    assert len(str(found.value)) < 400


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", ".".join(["a"] * 200_000) + " = 1"),
        ("a.toml", "a = " + "[" * 100_000),
        ("a.json", "[" * 100_000),
        ("a.json", '{"nodes": [{"id": ' + "9" * 5000 + "}]}"),
        ("a.json", '{"nodes": [3], "edges": []}'),
        ("a.graphml", "<a>" * 20_000),
        ("a.graphml", "\0"),
    ],
)
def test_a_file_that_no_parser_survives(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TopologyError) as found:
        load_topology(str(tmp_path / name), DOMAINS)
    assert "\n" not in str(found.value)


def test_a_file_lists_no_more_than_it_is_meant_for(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"nodes": [{"id": f"s{k}"} for k in range(100_001)], "links": []}))
    with pytest.raises(TopologyError, match=r"100,001 nodes\. Most: 100,000"):
        load_topology(str(file), DOMAINS)


def test_a_domain_named_many_times_is_looked_at_once(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"nodes": [{"id": "s1", "train_domains": ["physics"] * 100_000}], "links": []}))
    began = time.process_time()
    with pytest.raises(TopologyError, match="names physics twice"):
        load_topology(str(file), DOMAINS)
    assert time.process_time() - began < 5
