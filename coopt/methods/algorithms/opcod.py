"""OPCoD (arXiv 2606.14368, Algorithm 1): c = (s, f), with f from tutors behind gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.self_distillation import SelfDistillation
from coopt.methods.base import method

if TYPE_CHECKING:
    from coopt.core.config.schema import GateConfig


@method
class OPCoD(SelfDistillation):
    """Students tutor each other along the graph's edges, behind each edge's gate: the edge's own, else ``always``
    for a critic, else the run's."""

    name = "opcod"
    description = "on-policy co-distillation: own correct rollouts and gated, anchored tutor feedback"
    adversaries = True

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {e: self.gate(e, topology, default) for e in topology.edges}

    def gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        """The gate of one edge."""
        own = topology.settings[edge].gate if edge in topology.settings else ""
        kind = own or ("always" if topology.nodes[edge.tutor].role == "critic" else default.kind)
        return default.model_copy(update={"kind": kind})
