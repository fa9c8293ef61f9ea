"""Control: the true facts as feedback, the upper mark of what feedback can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coopt.core.names import ORACLE
from coopt.domains.base import Domain
from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.self_distillation import SelfDistillation
from coopt.methods.base import method

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, GateConfig


@method
class Oracle(SelfDistillation):
    """Every student is told the true facts, through the same filter and reprompt."""

    name = ORACLE
    description = "control: feedback that states the true facts, through the tutors' filter"
    against = ("always",)
    informed = True

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        from coopt.methods.tutors.base import OracleTutor

        OracleTutor(domains, config.feedback.style)

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        return {Edge(ORACLE, s): default.model_copy(update={"kind": "always"}) for s in topology.students}
