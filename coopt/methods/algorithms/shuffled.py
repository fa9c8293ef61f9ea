"""Control: useless tutors, the lower mark of what feedback can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method
from coopt.methods.rollouts import Told

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, GateConfig


@method
class Shuffled(OPCoD):
    """What passed the filter is read on the prompt before, in the order of the batch."""

    name = "shuffled"
    description = "control: useless tutors, whose kept feedback goes to another prompt; every gate open"
    against = ("always",)

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if config.rounds.prompts < 2 or config.feedback.only_without_own:
            raise ConfigError(
                "method shuffled needs rounds.prompts of at least 2 and feedback.only_without_own = false: it hands the"
                " feedback of one prompt to another."
            )

    def gate(self, edge: Edge, topology: Topology, default: GateConfig) -> GateConfig:
        return default.model_copy(update={"kind": "always"})

    def deliver(self, told: Sequence[Sequence[Sequence[Told]]]) -> Sequence[Sequence[Sequence[Told]]]:
        return [*told[1:], *told[:1]]
