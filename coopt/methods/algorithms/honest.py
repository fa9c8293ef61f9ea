"""Control: what opcod would be without the run's adversaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method
from coopt.methods.tutors.adversary import KINDS

if TYPE_CHECKING:
    from coopt.core.config.schema import Config


@method
class Honest(OPCoD):
    """opcod, with the adversaries honest."""

    name = "honest"
    description = "control: opcod with the adversaries honest"
    adversaries = False

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if not config.adversary:
            raise ConfigError(f"method honest is the control of --adversary NODE:KIND. Kinds: {', '.join(KINDS)}.")
