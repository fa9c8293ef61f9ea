"""Topologies on disk: the shipped ones by name; TOML, networkx node-link JSON or GraphML by path."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx

from coopt.core.errors import TopologyError, unknown
from coopt.core.outside.files import UnreadableError, read_text
from coopt.core.outside.parse import parse_json, parse_toml, parse_xml
from coopt.core.resources import resource_dir
from coopt.graph.build import build_topology, generated_topology
from coopt.graph.generate import VARYING, generate
from coopt.graph.topology import EdgeSettings, Topology

SUFFIXES = (".toml", ".json", ".graphml")
_NEXT = "The formats: docs/topologies.md."
_NODE_LINK_KEYS = {"directed", "multigraph", "graph", "nodes", "links", "edges"}


def topology_names() -> list[str]:
    """Names of the shipped topologies."""
    return sorted(p.stem for p in resource_dir("topologies").glob("*.toml"))


def load_topology(name: str, domains: Sequence[str], nodes: int | None = None) -> Topology:
    """A shipped topology by name, or a file by path. Raises ``TopologyError`` in one line.

    ``nodes``: how many students a generated graph is to have; None: as its file says.
    """
    path = Path(name)
    if path.suffix not in SUFFIXES:
        path = resource_dir("topologies") / f"{name}.toml"
        if name not in topology_names():
            hint = f" A file ends in {', '.join(SUFFIXES)}." if "." in name or "/" in name else ""
            raise TopologyError(unknown("topology", name, topology_names()) + hint)
    if not path.exists():
        raise TopologyError(f"topology {name}: no such file. Shipped: {', '.join(topology_names())}.")
    tree = _read(path)
    if "generator" in tree:
        table, tree = _generator(tree, str(path))
        return generated_topology(path.stem, tree, generate(table, nodes, str(path)), domains, where=str(path))
    if nodes is not None:
        raise TopologyError(f"{path}: --nodes is for graphs with a [generator]; this file lists its own nodes.")
    return build_topology(path.stem, tree, domains, where=str(path))


def tables_of(topology: Topology) -> dict[str, Any]:
    """A graph as the tables of a file, from which ``build_topology`` makes it again. Of the machine that it was on
    nothing is told: models go by the last part of their path, gates in a file by its name, and no endpoint's address is
    given."""
    nodes = []
    for node in topology.nodes.values():
        own = {
            "native": node.native,
            "train_domains": list(node.train_domains),
            "model": Path(node.model).name,
            "snapshot_of": node.snapshot_of,
            "endpoint": "https://endpoint" if node.endpoint else "",
        }
        nodes.append({"id": node.id, "role": node.role} | {k: v for k, v in own.items() if v})
    edges: list[dict[str, Any]] = []
    for edge in topology.edges:
        found = topology.settings.get(edge, EdgeSettings())
        own_settings = {"gate": found.gate.rpartition("/")[2], "style": found.style}
        edges.append(edge._asdict() | {k: v for k, v in own_settings.items() if v})
    edges += [{"kind": "review", "reviewer": a, "reviewed": b} for a, b in sorted(topology.reviews)]
    rules = {"varies": topology.varies, "hub": topology.hub}
    return {"nodes": nodes, "edges": edges, **{k: v for k, v in rules.items() if v}}


def toml_of(tables: Mapping[str, Any]) -> str:
    """Tables as ``tables_of`` makes them, as a TOML file: their values are texts and lists of texts."""
    lines = [f"{key} = {_text(tables[key])}" for key in ("varies", "hub") if key in tables]
    for name in ("nodes", "edges"):
        for table in tables.get(name, ()):
            lines += ["", f"[[{name}]]", *(f"{key} = {_text(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    """A text or a list of texts: JSON's are TOML's, but for the escapes of surrogates."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def is_shipped(name: str) -> bool:
    """Whether a topology setting names a shipped graph, and no file."""
    return Path(name).suffix not in SUFFIXES and name in topology_names()


def _generator(tree: dict[str, Any], where: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The [generator] table of a file, and the rest."""
    tree = dict(tree)
    table = tree.pop("generator")
    if not isinstance(table, Mapping):
        raise TopologyError(f"{where}: [generator] must be a table.")
    for key in ("nodes", "edges"):
        if key in tree:
            raise TopologyError(f"{where}: a file has a [generator] or [[{key}]], not both. Remove one.")
    if table.get("graph") in VARYING:
        tree["varies"] = table["graph"]
    return table, tree


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
        if path.suffix == ".toml":
            return parse_toml(text)
        if path.suffix == ".json":
            return _node_link(parse_json(text))
        return _graphml(text)
    except UnreadableError as error:
        raise TopologyError(f"{path}: {error}. {_NEXT}") from None
    except (AttributeError, KeyError, TypeError, ValueError, nx.NetworkXException) as error:
        kind = {".toml": "TOML", ".json": "networkx node-link JSON", ".graphml": "GraphML"}[path.suffix]
        raise TopologyError(f"{path}: not {kind} ({error}). {_NEXT}") from None


def _node_link(data: Any) -> dict[str, Any]:
    """The tables of node-link data, from the data themselves: networkx would add the nodes that only edges name."""
    if not isinstance(data, Mapping):
        raise ValueError("no object with nodes and edges")
    if "links" in data and "edges" in data:
        raise ValueError("it has both links and edges: keep one")
    if strange := sorted(set(data) - _NODE_LINK_KEYS):
        raise ValueError(f"unknown key '{strange[0]}'; it may have {', '.join(sorted(_NODE_LINK_KEYS))}")
    nodes = [(node["id"], {k: v for k, v in node.items() if k != "id"}) for node in data["nodes"]]
    links = data["links"] if "links" in data else data["edges"]
    edges = [(e["source"], e["target"], {k: v for k, v in e.items() if k not in ("source", "target")}) for e in links]
    return _tables(dict(data.get("graph", {})), nodes, edges, directed=bool(data.get("directed", False)))


def _graphml(text: str) -> dict[str, Any]:
    """The tables of a GraphML file, whose ids are looked at before networkx adds and merges nodes."""
    elements = [(element.tag.rpartition("}")[2], element) for element in parse_xml(text).iter()]
    if sum(kind == "graph" for kind, _ in elements) > 1:  # of which networkx reads the first, without a word
        raise ValueError("it holds several graphs: keep one")
    nodes = [element.get("id") for kind, element in elements if kind == "node"]
    if twice := [node for node, times in Counter(nodes).items() if times > 1]:
        raise ValueError(f"node '{twice[0]}' appears twice")
    known = set(nodes)
    for edge in (element for kind, element in elements if kind == "edge"):
        for end in (edge.get("source"), edge.get("target")):
            if end not in known:
                raise ValueError(f"edge {edge.get('source')} -> {edge.get('target')}: '{end}' is not a node")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of attributes without a type, which are texts
        graph = nx.parse_graphml(text)
    return _tables(graph.graph, graph.nodes(data=True), graph.edges(data=True), directed=graph.is_directed())


def _tables(
    rules: Mapping[str, Any],
    nodes: Iterable[tuple[Any, Mapping[str, Any]]],
    edges: Iterable[tuple[Any, Any, Mapping[str, Any]]],
    *,
    directed: bool,
) -> dict[str, Any]:
    """The tables that a TOML file would hold: attributes of the graph, of nodes and of edges are their keys. An
    undirected edge is one each way."""
    both = list(edges)
    tables = []
    for a, b, attributes in both if directed else [*both, *((b, a, d) for a, b, d in both)]:
        roles = ("reviewer", "reviewed") if attributes.get("kind") == "review" else ("tutor", "tutee")
        tables.append({roles[0]: str(a), roles[1]: str(b), **_own(attributes)})
    own = {key: value for key, value in rules.items() if key not in ("name", "node_default", "edge_default")}
    return own | {"nodes": [{"id": str(n), **_own(d)} for n, d in nodes], "edges": tables}


def _own(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes without those that networkx adds itself."""
    return {k: v for k, v in attributes.items() if k not in ("id", "key", "weight", "label")}
