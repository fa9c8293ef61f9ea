"""Graphs by rule: networkx generators with parameters, and the few that networkx does not have.

A topology file's ``[generator]`` table names the graph, the default number of ``nodes``, and the generator's own
parameters. Undirected generators give an edge in each direction.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx

from coopt.core.errors import TopologyError, unknown
from coopt.graph.topology import exponential_period, one_peer_exponential

GraphTable = dict[str, Any]
SIZES = ("n", "nodes")  # what generators call their number of nodes


def _star(n: int) -> Any:
    return nx.star_graph(n - 1)


def _two_cliques(n: int) -> Any:
    if n % 2 or n < 4:
        raise ValueError("two cliques need an even number of nodes, at least 4")
    return nx.barbell_graph(n // 2, 0)


def _one_peer_exponential(n: int) -> Any:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(
        edge for r in range(exponential_period(n)) for edge in one_peer_exponential(range(n), r + 1, 0)
    )
    return graph


OWN: Mapping[str, Callable[[int], Any]] = {
    "star": _star,
    "two_cliques": _two_cliques,
    "one_peer_exponential": _one_peer_exponential,
    "random_matching": nx.complete_graph,  # the union of what can be matched
}
VARYING = ("one_peer_exponential", "random_matching")


def generator_names() -> list[str]:
    """What ``graph`` may be: our own names, and the networkx functions that take a number of nodes."""
    return sorted([*OWN, *(name for name in dir(nx) if name.endswith("_graph") and _takes_size(name))])


def generate(table: Mapping[str, Any], nodes: int | None, where: str) -> GraphTable:
    """The ``nodes`` and ``edges`` tables of a generated graph: students s1, s2, … Raises ``TopologyError``."""
    options = dict(table)
    name, size = options.pop("graph", None), options.pop("nodes", None)
    directed = options.pop("directed", False)
    if not isinstance(directed, bool):
        raise TopologyError(f"{where}: [generator] directed = {directed!r}: it is true or false.")
    size = nodes if nodes is not None else size
    if not isinstance(name, str):
        raise TopologyError(f"{where}: [generator] needs graph = NAME, for example cycle_graph.")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise TopologyError(f"{where}: [generator] needs nodes, a number of at least 1 (or --nodes N).")
    if name not in OWN and not _takes_size(name):
        raise TopologyError(unknown("graph", name, generator_names(), f"{where}: [generator] "))
    if "n" in options:
        raise TopologyError(f"{where}: [generator] n = {options['n']!r}: the number of nodes is written nodes.")
    try:
        graph = _call(name, size, options, directed)
    except (TypeError, ValueError, nx.NetworkXException) as error:
        raise TopologyError(f"{where}: [generator] {name} with {size} nodes: {str(error).rstrip('.')}.") from None
    if len(graph) != size:
        raise TopologyError(
            f"{where}: [generator] {name} makes {len(graph)} nodes of {size}: its size is not a number of nodes. Take"
            " another graph, or list nodes and edges."
        )
    graph = nx.convert_node_labels_to_integers(graph, ordering="default")
    return {
        "nodes": [{"id": f"s{k + 1}"} for k in graph.nodes],
        "edges": [{"tutor": f"s{a + 1}", "tutee": f"s{b + 1}"} for a, b in dict.fromkeys(both_ways(graph)) if a != b],
    }


def both_ways(graph: Any) -> list[tuple[Any, Any]]:
    """The edges of a graph; those of an undirected one in each direction."""
    pairs = [(a, b) for a, b, *_ in graph.edges]
    return pairs if graph.is_directed() else sorted({*pairs, *((b, a) for a, b in pairs)})


def _call(name: str, size: int, options: dict[str, Any], directed: bool) -> Any:
    if name in OWN:
        if directed:
            raise ValueError("its edges run both ways or by its own rule; leave out directed")
        return OWN[name](size, **options)
    function = getattr(nx, name)
    parameters = inspect.signature(function).parameters
    if directed and "directed" in parameters:
        options["directed"] = True  # networkx refuses create_using beside it
    elif directed and "create_using" in parameters:
        options["create_using"] = nx.DiGraph
    elif directed:
        raise ValueError("networkx makes it undirected only; leave out directed")
    if "seed" in parameters:
        options.setdefault("seed", 0)  # the same file is the same graph
    key = next(s for s in SIZES if s in parameters)
    return function(**{key: size, **options})


def _takes_size(name: str) -> bool:
    """Is this a networkx function that makes a graph of a given number of nodes?"""
    function = getattr(nx, name, None)
    if not name.endswith("_graph") or not inspect.isfunction(function):
        return False
    if not function.__module__.startswith("networkx.generators"):
        return False
    return any(s in inspect.signature(function).parameters for s in SIZES)
