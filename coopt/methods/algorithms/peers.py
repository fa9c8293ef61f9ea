"""Policy gradients among students that read one another's weights, and not what a tutor writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field

from coopt.core.config.section import Section
from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.grpo import GRPO

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, GateConfig
    from coopt.methods.step import Tutee


class PeerOptions(Section):
    """Settings that methods among peers share."""

    gated: bool = False
    """Whether gates decide who is read, as in opcod; always open else, as in the papers, which have none."""
    kl: float = Field(0.0, ge=0)
    """Weight of KL(student || initial student) on rollouts that learn by their reward."""
    updates: int = Field(1, ge=1)
    """Optimizer updates a step, each on its share of the prompts."""
    lr: float | None = Field(None, gt=0)
    """Its learning rate; None: the run's."""


class AmongPeers(GRPO):
    """The edges between students (a critic is no learner); tutors' weights are the trainer's peers."""

    reads_peers = True

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        edges = [e for e in topology.edges if topology.nodes[e.tutor].role == "student"]
        own = {e: topology.settings[e].gate for e in edges if e in topology.settings}
        kinds = {e: (own.get(e) or default.kind) if self.options.gated else "always" for e in edges}
        return {e: default.model_copy(update={"kind": kind}) for e, kind in kinds.items()}

    def messages(self, config: Config, tutors: int) -> float:
        return 0.0


def native_teachers(tutee: Tutee) -> dict[str, list[str]]:
    """domain -> the open tutors that are native there, but for the tutee's own domain."""
    found: dict[str, list[str]] = {}
    for t in tutee.open_tutors:
        domain = tutee.native.get(t.name, "")
        if domain in t.domains and domain != tutee.native.get(tutee.name):
            found.setdefault(domain, []).append(t.name)
    return found
