"""Topologies on disk: the shipped ones by name; TOML, networkx node-link JSON or GraphML by path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from coopt.core.errors import TopologyError, unknown
from coopt.core.outside import TooMuchError, parse_json, parse_toml, read_text
from coopt.core.resources import resource_dir
from coopt.graph.build import build_topology
from coopt.graph.generate import VARYING, generate
from coopt.graph.topology import Topology

SUFFIXES = (".toml", ".json", ".graphml")


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
    if not path.is_file():
        raise TopologyError(f"topology {name}: no such file. Shipped: {', '.join(topology_names())}.")
    tree = _read(path)
    if "generator" in tree:
        tree = _generated(tree, nodes, str(path))
    elif nodes is not None:
        raise TopologyError(f"{path}: --nodes is for graphs with a [generator]; this file lists its own nodes.")
    return build_topology(path.stem, tree, domains, where=str(path))


def _generated(tree: dict[str, Any], nodes: int | None, where: str) -> dict[str, Any]:
    tree = dict(tree)
    table = tree.pop("generator")
    if not isinstance(table, Mapping):
        raise TopologyError(f"{where}: [generator] must be a table.")
    for key in ("nodes", "edges"):
        if key in tree:
            raise TopologyError(f"{where}: a file has a [generator] or [[{key}]], not both. Remove one.")
    if table.get("graph") in VARYING:
        tree["varies"] = table["graph"]
    return tree | generate(table, nodes, where)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
        if path.suffix == ".toml":
            return parse_toml(text)
        if path.suffix == ".json":
            return _tables(_node_link(parse_json(text)))
        return _tables(nx.parse_graphml(text))
    except TooMuchError as error:
        raise TopologyError(f"{path}: {error}.") from None
    except (AttributeError, KeyError, TypeError, ParseError, ValueError, nx.NetworkXException) as error:
        kind = {".toml": "TOML", ".json": "networkx node-link JSON", ".graphml": "GraphML"}[path.suffix]
        raise TopologyError(f"{path}: not {kind} ({error}).") from None


def _node_link(data: Any) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError("no object with nodes and edges")
    return nx.node_link_graph(dict(data), edges="links" if "links" in data else "edges")


def _tables(graph: Any) -> dict[str, Any]:
    """The tables that a TOML file would hold: node attributes are node keys, edge attributes edge keys."""
    edges = []
    directions = [(a, b, d) for a, b, d in graph.edges(data=True)]
    if not graph.is_directed():
        directions += [(b, a, d) for a, b, d in directions]
    for a, b, attributes in directions:
        roles = ("reviewer", "reviewed") if attributes.get("kind") == "review" else ("tutor", "tutee")
        edges.append({roles[0]: str(a), roles[1]: str(b), **_own(attributes)})
    tree: dict[str, Any] = {
        "description": str(graph.graph.get("description", "")),
        "nodes": [{"id": str(n), **_own(d)} for n, d in graph.nodes(data=True)],
        "edges": edges,
    }
    return tree


def _own(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes without those that networkx adds itself."""
    return {k: v for k, v in attributes.items() if k not in ("id", "key", "weight", "label")}
