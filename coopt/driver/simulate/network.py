"""A topology as arrays: who the nodes are, and the tutor edges and phases of a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from coopt.core.arrays import Bools, Floats, Ints
from coopt.graph.schedule import Schedule, phases
from coopt.graph.topology import Topology

NOBODY = -1


@dataclass(frozen=True)
class Nodes:
    """N students and critics, D domains."""

    names: Sequence[str]
    students_N: Bools
    native_N: Ints
    """Number of the native domain; ``NOBODY`` for a critic, which is strong in all."""
    trains_ND: Bools
    snapshot_N: Ints
    """For a critic that is a student's start: that student; else ``NOBODY``."""

    @classmethod
    def of(cls, topology: Topology, domains: tuple[str, ...]) -> Nodes:
        nodes = list(topology.nodes.values())
        number, index = {d: k for k, d in enumerate(domains)}, topology.index
        students = np.array([n.role == "student" for n in nodes])
        trains = [[n.role == "student" and d in topology.trained_on(n.id, domains) for d in domains] for n in nodes]
        return cls(
            names=[n.id for n in nodes],
            students_N=students,
            native_N=np.array([number.get(n.native, NOBODY) for n in nodes], dtype=np.int64),
            trains_ND=np.array(trains, dtype=bool),
            snapshot_N=np.array([index[n.snapshot_of] if n.snapshot_of else NOBODY for n in nodes], dtype=np.int64),
        )

    @cached_property
    def contends_ND(self) -> Bools:
        """Where a node may be the best: where it is trained; a critic everywhere."""
        return self.trains_ND | ~self.students_N[:, None]

    @cached_property
    def share_ND(self) -> Floats:
        """A student's share of training prompts by domain."""
        return np.asarray(self.trains_ND / np.maximum(self.trains_ND.sum(axis=1, keepdims=True), 1))

    @cached_property
    def native_ND(self) -> Bools:
        return np.asarray(np.arange(self.trains_ND.shape[1]) == self.native_N[:, None])


class Wave(NamedTuple):
    """Students that train at the same time, the edges into them, and who gets which edge's feedback."""

    node_P: Ints
    edge_E: Ints
    """Places among the round's edges."""
    sum_PE: csr_array
    """Sums over the edges into each student."""


@dataclass(frozen=True)
class Network:
    """The tutor edges of one round, and its phases."""

    tutor_E: Ints
    tutee_E: Ints
    phases: Sequence[Wave]
    gate_E: Sequence[str]
    """The gate that an edge asks for itself; empty: the method's. No entries where no edge asks."""

    @classmethod
    def of(cls, topology: Topology, schedule: Schedule) -> Network:
        index = topology.index
        count = topology.graph.number_of_edges()
        # From the graph: of millions of edges no list of named pairs is made.
        ends = np.fromiter((index[n] for e in topology.graph.edges for n in e), np.int64, 2 * count).reshape(-1, 2)
        tutee_E = np.ascontiguousarray(ends[:, 1])
        waves = [np.array([index[s] for s in phase], dtype=np.int64) for phase in phases(topology, schedule)]
        return cls(
            tutor_E=np.ascontiguousarray(ends[:, 0]),
            tutee_E=tutee_E,
            phases=[_phase(wave, tutee_E, len(index)) for wave in waves],
            gate_E=_own_gates(topology),
        )

    def without_edges(self) -> Network:
        """The same students, each alone."""
        nobody = np.zeros(0, dtype=np.int64)
        count = 1 + max(int(p.node_P.max()) for p in self.phases)
        alone = [_phase(p.node_P, nobody, count) for p in self.phases]
        return Network(nobody, nobody, alone, [])


def _phase(node_P: Ints, tutee_E: Ints, count: int) -> Wave:
    place_N = np.full(count, NOBODY)
    place_N[node_P] = np.arange(len(node_P))
    edge_E: NDArray[np.int64] = np.flatnonzero(place_N[tutee_E] >= 0)
    ones = np.ones(len(edge_E))
    rows = place_N[tutee_E[edge_E]]
    sums = csr_array((ones, (rows, np.arange(len(edge_E)))), shape=(len(node_P), len(edge_E)))
    return Wave(node_P, edge_E, sums)


def _own_gates(topology: Topology) -> Sequence[str]:
    """Critics speak always unless their edge says otherwise."""
    if not topology.settings and not topology.critics:
        return []
    critics, edges = set(topology.critics), topology.edges
    own = [topology.settings[e].gate if e in topology.settings else "" for e in edges]
    return [gate or ("always" if e.tutor in critics else "") for gate, e in zip(own, edges, strict=True)]
