"""On-policy self-distillation and its tutored forms (paper Eq. 1).

sdpo      c = s        own correct rollout only (the baseline)
opcod     c = (s, f)   f from tutors, behind the configured gate (the paper)
honest    c = (s, f)   opcod in which the run's adversaries are honest: what they cost
shuffled  c = (s, f)   f from tutors on other prompts: the lower mark of what feedback can do here
oracle    c = (s, f)   f states the true facts: the upper mark

The gate's ablations are opcod with another gate on every student's edge, under the gate's name: ``always`` and so on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coopt.config.schema import GateConfig
from coopt.graph.topology import Edge, Topology
from coopt.methods.base import ORACLE, Messages, RolloutGroup, earliest_correct


class SDPO:
    """Each student alone."""

    name = "sdpo"
    description = "self-distillation on own correct rollouts, no tutors"
    adversaries = False

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {}

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return earliest_correct(group, exclude_self)

    def deliver(self, messages: Messages) -> Messages:
        return messages


class OPCoD(SDPO):
    """Students tutor each other along the graph's edges, behind each edge's gate: the edge's own, else ``always``
    for a critic, else the run's."""

    name = "opcod"
    description = "on-policy co-distillation: own correct rollouts and gated, anchored tutor feedback"
    adversaries = True

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {e: self._gate(e, topology, default) for e in topology.edges}

    def _gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        own = topology.settings[edge].gate if edge in topology.settings else ""
        kind = own or ("always" if topology.nodes[edge.tutor].role == "critic" else default.kind)
        return default.model_copy(update={"kind": kind})


class Ablation(OPCoD):
    """OPCoD with one gate on every student's edge; a critic's edge keeps its own."""

    def __init__(self, kind: str) -> None:
        self.name = kind
        self.description = f"opcod with gate {kind} (ablation)"

    def _gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        if topology.nodes[edge.tutor].role == "critic":
            return super()._gate(edge, topology, default)
        return default.model_copy(update={"kind": self.name})


class Honest(OPCoD):
    """Control: what opcod would be without the run's adversaries."""

    name = "honest"
    description = "control: opcod with the adversaries honest"
    adversaries = False


class Shuffled(Ablation):
    """Control: useless tutors. What passed the filter is read on the prompt before, in the order of the batch."""

    description = "control: useless tutors, whose kept feedback goes to another prompt; every gate open"

    def __init__(self) -> None:
        self.name = "shuffled"

    def _gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        return default.model_copy(update={"kind": "always"})

    def deliver(self, messages: Messages) -> Messages:
        return [*messages[1:], *messages[:1]]


class Oracle(SDPO):
    """Control: every student is told the true facts, through the same filter and reprompt."""

    name = "oracle"
    description = "control: feedback that states the true facts, through the tutors' filter"

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        always = GateConfig(kind="always")
        return {Edge(ORACLE, student): always for student in topology.students}
