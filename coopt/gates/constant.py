"""The two ends of the gate ablation: always speak, never speak."""

from __future__ import annotations

from coopt.gates.base import Decision, Scores
from coopt.graph.topology import Edge, Topology


class Always:
    """Every tutor speaks in every round."""

    name = "always"

    def decide(self, edge: Edge, scores: Scores, topology: Topology) -> Decision:
        return Decision(True, "always")


class Never:
    """No tutor speaks: self-distillation alone."""

    name = "never"

    def decide(self, edge: Edge, scores: Scores, topology: Topology) -> Decision:
        return Decision(False, "never")
