"""On-policy self-distillation and its tutored forms (paper Eq. 1).

sdpo      c = s        own correct rollout only (the baseline)
opcod     c = (s, f)   f from peers, behind the configured gate (the paper)
always    c = (s, f)   f from peers, whatever their competence
shuffled  c = (s, f)   f from peers on other prompts: the lower mark of what feedback can do here
oracle    c = (s, f)   f states the true facts: the upper mark
"""

from __future__ import annotations

from collections.abc import Sequence

from coopt.config.schema import Config
from coopt.gates.base import Gate
from coopt.gates.constant import Always, Never
from coopt.gates.registry import make_gate
from coopt.graph.topology import Edge, Topology
from coopt.methods.base import ORACLE, RolloutGroup, Told, earliest_correct


class SDPO:
    """Each student alone."""

    name = "sdpo"
    description = "self-distillation on own correct rollouts, no tutors"

    def edges(self, topology: Topology) -> list[Edge]:
        return []

    def gate(self, config: Config) -> Gate:
        return Never()

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return earliest_correct(group, exclude_self)

    def deliver(self, feedback: list[list[Told | None]]) -> list[list[Told | None]]:
        return feedback


class OPCoD(SDPO):
    """Students tutor each other along the graph's edges."""

    name = "opcod"
    description = "on-policy co-distillation: own correct rollouts and gated, anchored peer feedback"

    def edges(self, topology: Topology) -> list[Edge]:
        return topology.edges

    def gate(self, config: Config) -> Gate:
        return make_gate(config.gate)


class AlwaysOPCoD(OPCoD):
    """Ablation: OPCoD without its gate."""

    name = "always"
    description = "opcod with every gate open (the paper's ablation)"

    def gate(self, config: Config) -> Gate:
        return Always()


class Shuffled(AlwaysOPCoD):
    """Control: useless tutors. What passed the filter is read on the prompt before, in the order of the batch."""

    name = "shuffled"
    description = "control: useless tutors, whose kept feedback goes to another prompt; every gate open"

    def deliver(self, feedback: list[list[Told | None]]) -> list[list[Told | None]]:
        return [*feedback[1:], *feedback[:1]]


class Oracle(SDPO):
    """Control: every student is told the true facts, through the same filter and reprompt."""

    name = "oracle"
    description = "control: feedback that states the true facts, through the tutors' filter"

    def edges(self, topology: Topology) -> list[Edge]:
        return [Edge(ORACLE, student) for student in topology.students]

    def gate(self, config: Config) -> Gate:
        return Always()
