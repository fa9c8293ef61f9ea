"""From the tables of a topology file to a checked ``Topology``. Every fault is one line: file, node or edge, fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

import networkx as nx

from coopt.core.errors import CooptError, TopologyError, unknown
from coopt.core.names import LONGEST, resolve_domain, resolve_domains, same_file
from coopt.core.secrets import shown_url
from coopt.graph.generate import MOST_EDGES, Generated
from coopt.graph.topology import Edge, EdgeSettings, Hub, Node, Role, Style, Topology, Varies, union_of_rounds

_KEYS = {"description", "nodes", "edges", "hub", "varies"}
_NODE_KEYS = {"id", "role", "native", "train_domains", "model", "snapshot_of", "endpoint"}
_EDGE_KEYS = {"tutor", "tutee", "gate", "style"}
_REVIEW_KEYS = {"kind", "reviewer", "reviewed"}
_MOST_NODES = 100_000
"""Of a file that lists them: more than a file is meant for, and some seconds to look at."""
_RESERVED = frozenset({"all", "base", "mutual", "oracle", "scores"})
"""Words of the tables, and a folder beside those of the initial students."""


def build_topology(name: str, tree: Mapping[str, Any], domains: Sequence[str], where: str) -> Topology:
    """A topology from the content of its file; ``where`` names it in messages. Raises ``TopologyError``.

    A student without a ``native`` domain gets the run's domain k mod |D| (k: its place among the students).
    """
    _known_keys(tree, _KEYS, "key", where)
    nodes = _nodes(tree, domains, where)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    settings: dict[Edge, EdgeSettings] = {}
    reviews: list[tuple[str, str]] = []
    for table in _tables(tree, "edges", where):
        kind = _choice(table.get("kind", "tutor"), ("tutor", "review"), "edge kind", where)
        if kind == "review":
            reviews.append(_review(table, nodes, where))
        else:
            edge, own = _tutor_edge(table, nodes, graph, where)
            graph.add_edge(*edge)
            if own != EdgeSettings():
                settings[edge] = own
    topology = _topology(name, tree, graph, nodes, where)
    topology = replace(topology, reviews=frozenset(reviews), settings=settings)
    _check_whole(topology, reviews, domains, where)
    return topology


def generated_topology(
    name: str, tree: Mapping[str, Any], made: Generated, domains: Sequence[str], where: str
) -> Topology:
    """As ``build_topology``, of a graph that was generated; ``tree``: the other keys of its file."""
    _known_keys(tree, _KEYS, "key", where)
    names = [f"s{k + 1}" for k in range(made.nodes)]
    nodes = {s: Node(s, "student", domains[k % len(domains)]) for k, s in enumerate(names)}
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from((names[a], names[b]) for a, b in made.ends_E2)
    topology = _topology(name, tree, graph, nodes, where)
    _check_whole(topology, [], domains, where)
    return topology


def _topology(
    name: str, tree: Mapping[str, Any], graph: nx.DiGraph[str], nodes: Mapping[str, Node], where: str
) -> Topology:
    """With what the file says of the whole graph."""
    return Topology(
        name=name,
        description=str(tree.get("description", "")),
        graph=graph,
        nodes=nodes,
        varies=cast(Varies, _choice(tree.get("varies", ""), get_args(Varies), "varies", where)),
        hub=cast(Hub, _choice(tree.get("hub", ""), get_args(Hub), "hub", where)),
    )


def _check_whole(topology: Topology, reviews: Sequence[tuple[str, str]], domains: Sequence[str], where: str) -> None:
    """What only the whole graph shows."""
    if not topology.students:
        raise TopologyError(f"{where}: no trainable student. Add a [[nodes]] table with an id (and no role = critic).")
    times = Counter(reviews)
    for reviewer, reviewed in reviews:
        for role, end in (("reviewer", reviewer), ("reviewed", reviewed)):
            if not topology.graph.out_degree(end):
                raise TopologyError(
                    f"{where}: review edge {reviewer} -> {reviewed}: {role} '{end}' tutors nobody, so it writes no"
                    " feedback. Give it a tutor edge, or remove the review edge."
                )
        if times[reviewer, reviewed] > 1:
            raise TopologyError(f"{where}: review edge {reviewer} -> {reviewed} appears twice. Remove one.")
    for node in topology.nodes.values():
        if node.snapshot_of and node.snapshot_of not in topology.native:
            raise TopologyError(
                f"{where}: node '{node.id}': snapshot_of = '{node.snapshot_of}' is not a student. Students:"
                f" {_some(topology.students)}."
            )
    first = next(iter(topology.nodes))
    if topology.hub and first in topology.critics:
        raise TopologyError(
            f"{where}: hub = '{topology.hub}' gives the first node's edges to a student, and '{first}' is a critic."
            " List a student first."
        )
    if topology.hub and topology.varies:
        raise TopologyError(f"{where}: hub and varies exclude each other: a graph that changes has no hub. Keep one.")
    if topology.varies:
        _check_varies(topology, where)
    trained = {d for s in topology.students for d in topology.trained_on(s, tuple(domains))}
    for domain in domains:
        if domain not in trained:
            raise TopologyError(
                f"{where}: no student is trained on {domain}. Add it to a node's train_domains, or leave it out of"
                " --domains."
            )


def _check_varies(topology: Topology, where: str) -> None:
    """The rule makes each round's edges: the file's must be their union, which gates and tables go by."""
    rule = topology.varies
    if topology.critics:
        raise TopologyError(f"{where}: a graph that varies = '{rule}' has students only. Remove the critics.")
    if set(topology.graph.edges) != union_of_rounds(rule, topology.students):
        raise TopologyError(
            f"{where}: varies = '{rule}' makes the edges of every round, and the file's edges are not their union. Use"
            f" [generator] graph = '{rule}', or list every edge that a round may have."
        )


# -- nodes ---------------------------------------------------------------------------------------------


def _nodes(tree: Mapping[str, Any], domains: Sequence[str], where: str) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    ids: dict[str, str] = {}
    students = 0
    tables = _tables(tree, "nodes", where)
    if len(tables) > _MOST_NODES:
        raise TopologyError(f"{where}: {len(tables):,} nodes. Most: {_MOST_NODES:,}; a [generator] may make more.")
    for k, table in enumerate(tables):
        _known_keys(table, _NODE_KEYS, "node key", where)
        node_id = table.get("id")
        if not isinstance(node_id, str) or not _is_plain(node_id):
            raise TopologyError(
                f"{where}: node {k + 1} needs an 'id' of letters, digits, '-' and '_', at most {LONGEST}."
            )
        if same_file(node_id) in _RESERVED:
            raise TopologyError(f"{where}: node '{node_id}': coopt itself uses this name. Give the node another id.")
        first = ids.setdefault(same_file(node_id), node_id)
        if node_id in nodes:
            raise TopologyError(f"{where}: node '{node_id}' appears twice. Give each node its own id.")
        if first != node_id:
            raise TopologyError(
                f"{where}: nodes '{first}' and '{node_id}' are one name where case makes no difference, as in the files"
                " of some systems. Give one of them another id."
            )
        nodes[node_id] = _node(table, node_id, students, domains, where)
        students += nodes[node_id].role == "student"
    return nodes


def _node(table: Mapping[str, Any], node_id: str, k: int, domains: Sequence[str], where: str) -> Node:
    here = f"{where}: node '{node_id}'"
    role = cast(Role, _choice(table.get("role", "student"), get_args(Role), "role", here))
    texts = {key: _text(table, key, here) for key in ("model", "snapshot_of", "endpoint")}
    if role == "student":
        for key in ("snapshot_of", "endpoint"):
            if texts[key]:
                raise TopologyError(f"{here}: {key} is for critics. Add role = 'critic', or remove it.")
    elif texts["snapshot_of"] and (texts["model"] or texts["endpoint"]):
        raise TopologyError(f"{here}: snapshot_of excludes model and endpoint. Keep one.")
    elif texts["endpoint"] and not texts["model"]:
        raise TopologyError(f"{here}: endpoint needs model, the name under which it serves.")
    if texts["endpoint"] and not shown_url(texts["endpoint"]):
        raise TopologyError(f"{here}: endpoint is not an http(s)://HOST[:PORT]/PATH address.")  # it may hold a password
    default = domains[k % len(domains)] if role == "student" else ""
    native = _native(table, default, domains, here)
    return Node(node_id, role, native, _train_domains(table, role, domains, here), **texts)


def _native(table: Mapping[str, Any], default: str, domains: Sequence[str], here: str) -> str:
    if "native" not in table:
        return default
    native = _domain(table["native"], here)
    if native not in domains:
        raise TopologyError(
            f"{here} is native to {native}, which is not among the run's domains {', '.join(domains)}. Add it to"
            " --domains or change the node."
        )
    return native


def _train_domains(table: Mapping[str, Any], role: Role, domains: Sequence[str], here: str) -> tuple[str, ...]:
    if "train_domains" not in table:
        return ()
    if role == "critic":
        raise TopologyError(f"{here}: a critic is not trained. Remove train_domains.")
    try:
        chosen = resolve_domains(table["train_domains"])
    except CooptError as error:
        raise TopologyError(f"{here}: train_domains: {error}") from None
    if not set(chosen) & set(domains):
        raise TopologyError(
            f"{here}: train_domains {', '.join(chosen)} holds none of the run's domains {', '.join(domains)}."
        )
    return chosen


def _domain(name: object, here: str) -> str:
    try:
        return resolve_domain(str(name))
    except CooptError as error:
        raise TopologyError(f"{here}: {error}") from None


# -- edges ---------------------------------------------------------------------------------------------


def _tutor_edge(
    table: Mapping[str, Any], nodes: Mapping[str, Node], graph: nx.DiGraph[str], where: str
) -> tuple[Edge, EdgeSettings]:
    _known_keys(table, _EDGE_KEYS | {"kind"}, "edge key", where)
    edge = Edge(*_ends(table, ("tutor", "tutee"), nodes, where))
    if nodes[edge.tutee].role == "critic":
        raise TopologyError(
            f"{where}: edge {edge}: '{edge.tutee}' is a critic and learns nothing. Reverse the edge, or make it a"
            " student."
        )
    if graph.has_edge(*edge):
        raise TopologyError(f"{where}: edge {edge} appears twice. Remove one.")
    style = _choice(table.get("style", ""), ("", *get_args(Style)), "style", f"{where}: edge {edge}")
    return edge, EdgeSettings(_text(table, "gate", f"{where}: edge {edge}"), cast(Style, style))


def _review(table: Mapping[str, Any], nodes: Mapping[str, Node], where: str) -> tuple[str, str]:
    _known_keys(table, _REVIEW_KEYS, "review edge key", where)
    return _ends(table, ("reviewer", "reviewed"), nodes, where)


def _ends(table: Mapping[str, Any], roles: tuple[str, str], nodes: Mapping[str, Node], where: str) -> tuple[str, str]:
    first, second = (str(table.get(role)) for role in roles)
    for role, end in zip(roles, (first, second), strict=True):
        if end not in nodes:
            raise TopologyError(
                f"{where}: edge {first} -> {second}: {role} '{end}' is not a node. Nodes: {_some(nodes)}."
            )
    if first == second:
        raise TopologyError(
            f"{where}: edge {first} -> {second} is a self-loop. Remove it (a critic with snapshot_of = '{first}' gives"
            " self-feedback)."
        )
    return first, second


# -- small checks --------------------------------------------------------------------------------------


def _tables(tree: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    tables = tree.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(t, Mapping) for t in tables):
        raise TopologyError(f"{where}: '{key}' must be a list of tables ([[{key}]]).")
    if len(tables) > MOST_EDGES:
        raise TopologyError(f"{where}: {len(tables):,} {key}. Most: {MOST_EDGES:,}.")
    return tables


def _some(names: Iterable[str]) -> str:
    """The first of many names."""
    found = list(names)
    return ", ".join(found[:20]) + f", ... ({len(found):,} in all)" * (len(found) > 20)


def _known_keys(tree: Mapping[str, Any], allowed: set[str], what: str, where: str) -> None:
    for key in tree:
        if key not in allowed:
            raise TopologyError(unknown(what, str(key), allowed, f"{where}: "))


def _choice(value: object, allowed: Sequence[str], what: str, where: str) -> str:
    if value not in allowed:
        raise TopologyError(unknown(what, str(value), filter(None, allowed), f"{where}: "))
    return str(value)


def _text(table: Mapping[str, Any], key: str, here: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        shown = "something else" if key == "endpoint" else repr(value)  # an address may hold a password
        raise TopologyError(f"{here}: {key} must be text, got {shown}.")
    return value


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= LONGEST and all(c.isalnum() or c in "-_" for c in text)
