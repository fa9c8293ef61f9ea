"""Gate ablations, the paper's and others, and the control at a matched rate: opcod with one gate on every student's
edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method

if TYPE_CHECKING:
    from coopt.core.config.schema import GateConfig


class Ablation(OPCoD):
    """OPCoD behind the gate ``kind``, by default that of the method's own name; a critic's edge keeps its own."""

    against: ClassVar[tuple[str, ...]] = ("opcod",)
    kind: ClassVar[str] = ""

    def gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        if topology.nodes[edge.tutor].role == "critic":
            return super().gate(edge, topology, default)
        return default.model_copy(update={"kind": self.kind or self.name})


@method
class Always(Ablation):
    """Every gate open."""

    name = kind = "always"
    description = "opcod with gate always (ablation)"


@method
class DomainSelective(Ablation):
    """An incognizant tutor still speaks where it is stronger."""

    name = "domain_selective"
    description = "opcod with gate domain_selective (ablation)"


@method
class PerDomain(Ablation):
    """Open in a domain where the shortfall there is small."""

    name = "per_domain"
    description = "opcod with gate per_domain (ablation)"


@method
class Random(Ablation):
    """Open by chance, as often as the cognizance gate was in the same seed."""

    name = "random"
    description = "control: opcod with edges open by chance, as often as opcod's own gate opened them"


@method
class Confident(Ablation):
    """Open in a domain where the tutor is shown to be ahead."""

    name = "confident"
    description = "opcod with gate confident (ablation)"


@method
class Benefit(Ablation):
    """Open in a domain where the break-rate probe saw feedback mend more than it broke."""

    name = "benefit"
    description = "opcod with gate benefit (ablation)"
