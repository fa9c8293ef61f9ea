"""Control: the student as its own tutor. What a peer adds is what is left above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.self_distillation import SelfDistillation
from coopt.methods.base import method

if TYPE_CHECKING:
    from coopt.core.config.schema import GateConfig


@method
class SelfFeedback(SelfDistillation):
    """c = (s, f), f from the student's own round-start snapshot. There is nothing to gate: it is as able as itself."""

    name = "self_feedback"
    description = "control: the student's own round-start snapshot is its only tutor"
    against = ("always",)

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {Edge(s, s): default.model_copy(update={"kind": "always"}) for s in topology.students}
