"""Control: what opcod would be without the run's adversaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from coopt.domains.base import Domain
from coopt.errors import ConfigError
from coopt.feedback.adversary import KINDS
from coopt.methods.base import method
from coopt.methods.opcod import OPCoD

if TYPE_CHECKING:
    from coopt.config.schema import Config


@method
class Honest(OPCoD):
    """opcod, with the adversaries honest."""

    name = "honest"
    description = "control: opcod with the adversaries honest"
    adversaries = False

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if not config.adversary:
            raise ConfigError(f"method honest is the control of --adversary NODE:KIND. Kinds: {', '.join(KINDS)}.")
