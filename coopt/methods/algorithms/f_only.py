"""Controls: feedback takes the place of the own correct rollout, so that nothing stands against what a tutor says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from coopt.methods.algorithms.gate_ablations import Always
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method
from coopt.methods.rollouts import Context, Told, heard


@method
class FOnly(OPCoD):
    """c = f where a tutor's message was kept, c = s elsewhere: behind a shut gate it is ``sdpo``. A solution that a
    tutor handed over takes the place of s in every method."""

    name = "f_only"
    description = "control: opcod whose feedback takes the place of the own correct rollout"
    against: ClassVar[tuple[str, ...]] = ("opcod",)

    def context(self, demonstration: str | None, told: Sequence[Told]) -> Context:
        return super().context(None if heard(told) else demonstration, told)


@method
class AlwaysFOnly(FOnly, Always):
    """The same with every gate open."""

    name = "always_f_only"
    description = "control: always whose feedback takes the place of the own correct rollout"
    against = ("always", "f_only")
