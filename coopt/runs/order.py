"""The order of nodes and edges in everything that is shown: the graph's, in which s2 stands before s10."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from coopt.graph.topology import Edge

_DIGITS = re.compile(r"(\d+)")


def by_node(students: Iterable[str]) -> Callable[[str], Any]:
    """The key that sorts names: the graph's ``students`` in their order, then others (critics) by name and number."""
    places = {s: k for k, s in enumerate(students)}

    def key(name: str) -> Any:
        parts = [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in _DIGITS.split(name) if p]
        return places.get(name, len(places)), parts

    return key


def by_edge(students: Iterable[str]) -> Callable[[str], Any]:
    """The key that sorts edges as text, tutor by tutor; what is no edge ("all edges") comes first."""
    node = by_node(students)
    return lambda edge: [node(end) for end in Edge.parse(edge)] if " -> " in edge else []
