"""The StepAlignFB arm of feedback alignment (arXiv 2606.11173, method facts A): c = a critic's rewritten attempt alone.

The critic reads the attempt and the worked solution, and writes the attempt again: right steps word for word, the
earliest error mended, and what follows from it. It is frozen and greedy. There is no gate: it always speaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.critics import with_critics
from coopt.methods.algorithms.privileged import Privileged
from coopt.methods.base import method
from coopt.methods.rollouts import RolloutGroup

if TYPE_CHECKING:
    from coopt.core.config.schema import GateConfig


@method
class CriticStep(Privileged):
    """The critics of the run's graph, or one that is added, tutor every student."""

    name = "critic_step"
    description = "feedback alignment: self-distillation on a frozen critic's step-aligned rewriting of the attempt"
    against = ("critic_reference", "critic_binary")

    def graph(self, topology: Topology) -> Topology:
        return with_critics(topology, 1, "step")

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {edge: default.model_copy(update={"kind": "always"}) for edge in topology.edges}

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return [None] * len(group.rollouts)
