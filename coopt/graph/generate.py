"""Graphs by rule: networkx generators with parameters, and the few that networkx does not have.

A topology file's ``[generator]`` table names the graph, the default number of ``nodes``, and the generator's own
parameters. Undirected generators give an edge in each direction.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, NamedTuple

import networkx as nx
import numpy as np

from coopt.core.arrays import Ints
from coopt.core.errors import TopologyError, unknown
from coopt.graph.apart import made_apart
from coopt.graph.topology import exponential_period, one_peer_exponential


class Generated(NamedTuple):
    """A graph of ``nodes`` students, s1, s2, …, and ``ends_E2``: the numbers of tutor and tutee of every edge, from
    0."""

    nodes: int
    ends_E2: Ints


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
MOST_EDGES = 9_000_000
"""Of a graph: 3,000 students that are all joined, about 6 GiB while it is built."""
_MOST_NODES, _MOST_SPARSE = 3_000, 1_000_000
_LINEAR = frozenset(
    """path_graph cycle_graph star one_peer_exponential random_regular_graph circulant_graph watts_strogatz_graph
    newman_watts_strogatz_graph connected_watts_strogatz_graph barabasi_albert_graph powerlaw_cluster_graph
    fast_gnp_random_graph gnm_random_graph ladder_graph circular_ladder_graph wheel_graph star_graph""".split()
)
"""Graphs that are made in about as many steps as they have edges; others may look at every pair of nodes."""
_SURE = frozenset(
    """path_graph cycle_graph star one_peer_exponential random_matching two_cliques complete_graph circulant_graph
    wheel_graph watts_strogatz_graph newman_watts_strogatz_graph connected_watts_strogatz_graph random_regular_graph
    barabasi_albert_graph fast_gnp_random_graph gnm_random_graph gnp_random_graph erdos_renyi_graph
    binomial_graph""".split()
)
"""Graphs that are made in this process (``_ends_surely``)."""
_SMALL = 200  # nodes
_STEPS, _FEWEST_TRIES = 5_000_000, 3
VARYING = ("one_peer_exponential", "random_matching")


def generator_names() -> list[str]:
    """What ``graph`` may be: our own names, and the networkx functions that take a number of nodes."""
    return sorted([*OWN, *(name for name in dir(nx) if name.endswith("_graph") and _takes_size(name))])


def generate(table: Mapping[str, Any], nodes: int | None, where: str) -> Generated:
    """The graph of a [generator] table. Raises ``TopologyError``."""
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
        _check_size(name, size, options)
        if _ends_surely(name, size, options):
            graph = called(name, size, options, directed)
            made, ends_E2 = len(graph), ends_of(graph)
        else:
            made, ends_E2 = made_apart(name, size, options, directed=directed)
    except Exception as error:  # whatever somebody's numbers make of somebody's function
        said = str(error).rstrip(".") or type(error).__name__
        raise TopologyError(f"{where}: [generator] {name} with {size} nodes: {said}.") from None
    if made != size:
        raise TopologyError(
            f"{where}: [generator] {name} makes {made} nodes of {size}: its size is not a number of nodes. Take"
            " another graph, or list nodes and edges."
        )
    return Generated(size, ends_E2)


def ends_of(graph: Any) -> Ints:
    """The edges of a graph as numbers of nodes [E, 2], each once and without self-loops; those of an undirected one in
    each direction, sorted."""
    number = {node: k for k, node in enumerate(graph)}
    numbers = (number[node] for a, b, *_ in graph.edges for node in (a, b))
    ends_E2 = np.fromiter(numbers, np.int64).reshape(-1, 2)
    ends_E2 = ends_E2[ends_E2[:, 0] != ends_E2[:, 1]]
    code_E = ends_E2 @ (len(graph), 1)
    if graph.is_directed():
        return np.asarray(ends_E2[np.sort(np.unique(code_E, return_index=True)[1])])
    return np.stack(np.divmod(np.unique([code_E, ends_E2 @ (1, len(graph))]), len(graph)), axis=1)


class _Bounded(nx.Graph):  # type: ignore[type-arg]
    """A graph that refuses to become too large while it is made."""

    most = MOST_EDGES // 2
    added = 0

    def add_edge(self, *edge: Any, **attributes: Any) -> None:
        self._count(1)
        super().add_edge(*edge, **attributes)

    def add_edges_from(self, ebunch_to_add: Any, **attributes: Any) -> None:
        edges = iter(ebunch_to_add)
        while part := list(islice(edges, 100_000)):
            self._count(len(part))
            super().add_edges_from(part, **attributes)

    def _count(self, more: int) -> None:
        self.added += more
        if self.added > self.most:
            raise ValueError(f"more than {MOST_EDGES:,} edges")


class _BoundedDirected(_Bounded, nx.DiGraph):  # type: ignore[type-arg]
    most = MOST_EDGES


def _check_size(name: str, size: int, options: Mapping[str, Any]) -> None:
    """Refuse what would not fit, or not end, before it is made. Raises ``ValueError``."""
    if name not in _LINEAR and size > _MOST_NODES:
        sparse = "or a sparse graph (--topology random_regular)"
        raise ValueError(f"up to {size * (size - 1):,} edges. Take at most {_MOST_NODES:,} students, {sparse}")
    each: float = max(_number(options.get("d")), _number(options.get("k")), _length(options.get("offsets")))
    each = max(each, size * float(options.get("p", 0))) if "gnp" in name else each
    if size > _MOST_SPARSE or size * each > MOST_EDGES:
        raise ValueError(f"at most {_MOST_SPARSE:,} students and {MOST_EDGES:,} edges")
    for key, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} is {value}")
        if key != "seed" and (_number(value) > MOST_EDGES or _length(value) > _MOST_NODES):
            raise ValueError(f"{key} is too large")


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def _ends_surely(name: str, size: int, options: Mapping[str, Any]) -> bool:
    """Whether a graph of a size that was checked is made in about as many steps as it has edges. Where most pairs are
    joined, the last ones are drawn again and again."""
    each = max(_number(options.get("d")), _number(options.get("k")), 2 * _number(options.get("m")) // size)
    if name == "random_regular_graph":
        return 2 * each <= size and each**2 <= _SMALL * size
    return name in _SURE and (size <= _SMALL or 4 * each <= size)


def called(name: str, size: int, options: dict[str, Any], directed: bool) -> Any:
    """The graph that networkx, or we, make."""
    if name in OWN:
        if directed:
            raise ValueError("its edges run both ways or by its own rule; leave out directed")
        return OWN[name](size, **options)
    function = getattr(nx, name)
    parameters = inspect.signature(function).parameters
    if directed and "directed" in parameters:
        options["directed"] = True  # networkx refuses create_using beside it
    elif "create_using" in parameters:
        options["create_using"] = _BoundedDirected if directed else _Bounded
    elif directed:
        raise ValueError("networkx makes it undirected only; leave out directed")
    if "seed" in parameters:
        options.setdefault("seed", 0)  # the same file is the same graph
    if "tries" in parameters:  # each takes as many steps as there are edges
        most = max(_FEWEST_TRIES, _STEPS // max(1, size * _number(options.get("k"))))
        options["tries"] = min(most, options.get("tries", parameters["tries"].default))
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
