"""The graph: students and frozen critics as nodes, tutor and review edges between them.

A tutor edge runs from tutor to tutee, a review edge joins two nodes that write feedback. Nothing here knows how
many students there are. Reading files: ``coopt.graph.files``; checking them: ``coopt.graph.build``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import permutations
from typing import Literal, NamedTuple, TypeVar

import networkx as nx

from coopt.core.rng import generator

Role = Literal["student", "critic"]
_Name = TypeVar("_Name", str, int)
Varies = Literal["", "one_peer_exponential", "random_matching"]
Hub = Literal["", "strongest", "weakest", "random"]
Style = Literal["anchored", "naive", "step", "reference"]
REWRITES: frozenset[str] = frozenset({"step", "reference"})
"""Styles whose message is a whole solution: it takes the place of the demonstration s in c, not of f."""


class Edge(NamedTuple):
    """A tutor edge."""

    tutor: str
    tutee: str

    def __str__(self) -> str:
        return f"{self.tutor} -> {self.tutee}"

    @classmethod
    def parse(cls, text: str) -> Edge:
        """``str`` read back."""
        tutor, _, tutee = text.partition(" -> ")
        return cls(tutor, tutee)


class EdgeSettings(NamedTuple):
    """What an edge says for itself; empty: as the run says."""

    gate: str = ""
    style: Style | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A student, or a critic that writes feedback and is never trained.

    ``model``: its start (a model directory), taken as it is; empty: made as the run makes specialists.
    A critic may instead be ``snapshot_of`` a student (its start, frozen) or an OpenAI-compatible ``endpoint``,
    which serves ``model``.
    """

    id: str
    role: Role = "student"
    native: str = ""
    """The domain that it starts strong in; empty for a critic: all of them."""
    train_domains: tuple[str, ...] = ()
    """The domains that it is trained on; empty: all of the run."""
    model: str = ""
    snapshot_of: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class Topology:
    """Nodes, tutor edges (``graph``) and review edges.

    ``varies``: the rule by which the edges change every round; ``graph`` is then their union. ``hub``: which
    student takes the first node's edges, decided when the students are known (``placed``).
    """

    name: str
    description: str
    graph: nx.DiGraph[str]
    nodes: Mapping[str, Node]
    reviews: frozenset[tuple[str, str]] = frozenset()
    varies: Varies = ""
    hub: Hub = ""
    settings: Mapping[Edge, EdgeSettings] = field(default_factory=dict)

    @cached_property
    def students(self) -> list[str]:
        return [n.id for n in self.nodes.values() if n.role == "student"]

    @cached_property
    def critics(self) -> list[str]:
        return [n.id for n in self.nodes.values() if n.role == "critic"]

    @cached_property
    def native(self) -> dict[str, str]:
        """student -> the domain that it starts strong in"""
        return {s: self.nodes[s].native for s in self.students}

    @cached_property
    def edges(self) -> list[Edge]:
        """The tutor edges, tutor by tutor in file order."""
        return [Edge(*pair) for pair in self.graph.edges]

    @cached_property
    def review_pairs(self) -> list[tuple[str, str]]:
        """The review edges, reviewer by reviewer in the order of the nodes."""
        return sorted(self.reviews, key=lambda pair: (self.index[pair[0]], self.index[pair[1]]))

    @cached_property
    def index(self) -> dict[str, int]:
        """node -> its number"""
        return {n: k for k, n in enumerate(self.nodes)}

    def tutors_of(self, tutee: str) -> list[str]:
        """The tutors with an edge into ``tutee``, in file order."""
        return list(self.graph.predecessors(tutee))

    def trained_on(self, student: str, domains: tuple[str, ...]) -> tuple[str, ...]:
        """The run's domains that a student is trained on."""
        own = self.nodes[student].train_domains
        return tuple(d for d in domains if d in own) if own else domains

    def reviewers_of(self, tutor: str) -> list[str]:
        """Who may judge a tutor's feedback: its review neighbours; every node where the graph has no review edge."""
        if not self.reviews:
            return [n for n in self.nodes if n != tutor]
        return [reviewer for reviewer, reviewed in sorted(self.reviews) if reviewed == tutor]

    def style_of(self, edge: Edge) -> Style | Literal[""]:
        """The feedback style that an edge asks for; empty: the run's."""
        return self.settings[edge].style if edge in self.settings else ""

    def label(self, student: str) -> str:
        return f"{student} ({self.native[student]})"

    def in_round(self, round_: int, seed: int) -> Topology:
        """The graph of one round (counted from 1); itself where nothing varies."""
        if not self.varies:
            return self
        rule = one_peer_exponential if self.varies == "one_peer_exponential" else random_matching
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.graph.nodes)
        graph.add_edges_from(rule(self.students, round_, seed))
        return replace(self, graph=graph)

    def placed(self, hub: str) -> Topology:
        """The same graph with ``hub`` in the place of the first node: the two swap their edges, not their selves."""
        first = next(iter(self.nodes))
        swap = {first: hub, hub: first}
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.graph.nodes)
        graph.add_edges_from((swap.get(a, a), swap.get(b, b)) for a, b in self.graph.edges)
        settings = {Edge(swap.get(a, a), swap.get(b, b)): own for (a, b), own in self.settings.items()}
        reviews = frozenset((swap.get(a, a), swap.get(b, b)) for a, b in self.reviews)
        return replace(self, graph=graph, settings=settings, reviews=reviews, hub="")


def one_peer_exponential(students: Sequence[_Name], round_: int, seed: int) -> list[tuple[_Name, _Name]]:
    """In round r everybody is tutored by the student 2^((r-1) mod log2 N) places on: exact averaging of N = 2^m
    nodes in m rounds of one message each."""
    hop = 2 ** ((round_ - 1) % exponential_period(len(students)))
    return [(students[(k + hop) % len(students)], s) for k, s in enumerate(students) if hop % len(students)]


def exponential_period(n: int) -> int:
    """Rounds after which one_peer_exponential on ``n`` students repeats: ceil(log2 n), at least 1."""
    return max(1, (n - 1).bit_length())


def random_matching(students: list[str], round_: int, seed: int) -> list[tuple[str, str]]:
    """Pairs drawn anew each round; with an odd number of students one rests."""
    order = generator(seed, round_, "matching").permutation(len(students))
    pairs = [(students[a], students[b]) for a, b in zip(order[::2], order[1::2], strict=False)]
    place = {s: k for k, s in enumerate(students)}
    return sorted([*pairs, *((b, a) for a, b in pairs)], key=lambda pair: place[pair[1]])


def union_of_rounds(rule: Varies, students: list[str]) -> set[tuple[str, str]]:
    """Every edge that some round of ``rule`` may have."""
    if rule == "one_peer_exponential":
        rounds = range(1, exponential_period(len(students)) + 1)
        return {edge for r in rounds for edge in one_peer_exponential(students, r, 0)}
    return set(permutations(students, 2))
