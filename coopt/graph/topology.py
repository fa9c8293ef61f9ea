"""The graph: students as nodes, tutor edges between them (a ``networkx.DiGraph``).

An edge runs from tutor to tutee. Nothing here knows how many students there are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import networkx as nx

from coopt.domains.names import resolve_domain
from coopt.errors import TopologyError, unknown
from coopt.resources import resource_dir

_RESERVED = frozenset({"all", "base", "mutual", "oracle"})
_NODE_KEYS = {"id", "native"}
_EDGE_KEYS = {"tutor", "tutee"}


class Edge(NamedTuple):
    """A tutor edge."""

    tutor: str
    tutee: str

    def __str__(self) -> str:
        return f"{self.tutor} -> {self.tutee}"


@dataclass(frozen=True)
class Topology:
    """Students and tutor edges, with each student's native domain."""

    name: str
    description: str
    graph: nx.DiGraph[str]
    native: Mapping[str, str]

    @property
    def students(self) -> list[str]:
        return list(self.graph.nodes)

    @property
    def edges(self) -> list[Edge]:
        return [Edge(*pair) for pair in self.graph.edges]

    def tutors_of(self, tutee: str) -> list[str]:
        """The tutors with an edge into ``tutee``, in file order."""
        return list(self.graph.predecessors(tutee))

    def label(self, student: str) -> str:
        return f"{student} ({self.native[student]})"


def topology_names() -> list[str]:
    """Names of the shipped topologies."""
    return sorted(p.stem for p in resource_dir("topologies").glob("*.toml"))


def load_topology(name: str, domains: Sequence[str]) -> Topology:
    """A shipped topology by name, or a TOML file by path. Raises ``TopologyError`` in one line.

    A node without a ``native`` domain gets the run's domain k mod |D| (k: its place in the file).
    """
    path = Path(name) if name.endswith(".toml") else resource_dir("topologies") / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise TopologyError(f"--topology {name}: no such file. Shipped: {', '.join(topology_names())}.")
        raise TopologyError(unknown("topology", name, topology_names()))
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopologyError(f"{path}: not TOML ({error}).") from None
    return build_topology(path.stem, tree, domains, where=str(path))


def build_topology(name: str, tree: Mapping[str, Any], domains: Sequence[str], where: str) -> Topology:
    """A topology from the content of its file; ``where`` names it in messages."""
    _known_keys(tree, {"description", "nodes", "edges"}, "key", where)
    graph: nx.DiGraph[str] = nx.DiGraph()
    native: dict[str, str] = {}
    for k, node in enumerate(_tables(tree, "nodes", where)):
        _known_keys(node, _NODE_KEYS, "node key", where)
        node_id = node.get("id")
        if not isinstance(node_id, str) or not _is_plain(node_id):
            raise TopologyError(f"{where}: node {k + 1} needs an 'id' of letters, digits, '-' and '_'.")
        if node_id in _RESERVED:
            raise TopologyError(f"{where}: node '{node_id}': the tables use this name. Give the node another id.")
        if node_id in graph:
            raise TopologyError(f"{where}: node '{node_id}' appears twice. Give each node its own id.")
        graph.add_node(node_id)
        native[node_id] = _native(node, k, domains, where)
    if not graph:
        raise TopologyError(f"{where}: the graph has no student. Add a [[nodes]] table with an id.")
    for edge in _tables(tree, "edges", where):
        _known_keys(edge, _EDGE_KEYS, "edge key", where)
        _add_edge(graph, edge, where)
    return Topology(name, str(tree.get("description", "")), graph, native)


def _tables(tree: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    tables = tree.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
        raise TopologyError(f"{where}: '{key}' must be a list of tables ([[{key}]]).")
    return tables


def _known_keys(tree: Mapping[str, Any], allowed: set[str], what: str, where: str) -> None:
    for key in tree:
        if key not in allowed:
            raise TopologyError(unknown(what, key, allowed, f"{where}: "))


def _is_plain(text: str) -> bool:
    return bool(text) and all(c.isalnum() or c in "-_" for c in text)


def _native(node: Mapping[str, Any], k: int, domains: Sequence[str], where: str) -> str:
    if "native" not in node:
        return domains[k % len(domains)]
    native = resolve_domain(str(node["native"]))
    if native not in domains:
        raise TopologyError(
            f"{where}: node '{node['id']}' is native to {native}, which is not among the run's domains"
            f" {', '.join(domains)}. Add it to --domains or change the node."
        )
    return native


def _add_edge(graph: nx.DiGraph[str], edge: Mapping[str, Any], where: str) -> None:
    ends = str(edge.get("tutor")), str(edge.get("tutee"))
    for role, end in zip(("tutor", "tutee"), ends, strict=True):
        if end not in graph:
            nodes = ", ".join(graph.nodes)
            raise TopologyError(f"{where}: edge {ends[0]} -> {ends[1]}: {role} '{end}' is no node. Nodes: {nodes}.")
    if ends[0] == ends[1]:
        raise TopologyError(f"{where}: edge {ends[0]} -> {ends[1]} is a self-loop. Remove it.")
    if graph.has_edge(*ends):
        raise TopologyError(f"{where}: edge {ends[0]} -> {ends[1]} appears twice. Remove one.")
    graph.add_edge(*ends)
