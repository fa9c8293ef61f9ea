"""Control: what a student does alone with the rollouts that a pair has together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coopt.methods.algorithms.sdpo import SDPO
from coopt.methods.base import method, with_settings

if TYPE_CHECKING:
    from coopt.core.config.schema import Config


@method
class SDPO2n(SDPO):
    """``sdpo`` with 2n rollouts of every prompt, and nothing else changed."""

    name = "sdpo_2n"
    description = "control: sdpo with twice the rollouts of every prompt (equal-budget solo)"
    against = ("opcod",)

    def configure(self, config: Config) -> Config:
        return with_settings(config, rounds={"rollouts": 2 * config.rounds.rollouts})
