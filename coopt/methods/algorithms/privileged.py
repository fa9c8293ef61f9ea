"""Self-distillation on privileged context alone: the teacher sees the worked solution, or what is made of it, and no s.

Every rollout of a question that has a solution has a target, also the correct ones. What its methods share beside the
context are the divergence and the teacher, which they set for themselves, whatever the run's other methods take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from coopt.core.config.section import Section
from coopt.methods.algorithms.self_distillation import SelfDistillation
from coopt.methods.base import with_settings
from coopt.methods.rollouts import RolloutGroup

if TYPE_CHECKING:
    from coopt.core.config.schema import Config

TeacherKind = Literal["ema", "live", "frozen", "trust_region"]


class PrivilegedOptions(Section):
    """Divergence and teacher; the meanings are those of the sections loss and teacher."""

    alpha: float = Field(0.0, ge=0, le=1)
    """0: forward KL, KL(teacher || student)."""
    top_k: int = Field(0, ge=0)
    """0: the full vocabulary."""
    teacher: TeacherKind = "frozen"
    """frozen: the initial policy."""
    rate: float = Field(0.001, ge=0, le=1)
    """Of an ema teacher (0.001 is a decay of 0.999) or a trust region."""


class Privileged(SelfDistillation):
    """c = the question's worked solution, unless a method says otherwise."""

    informed = True
    Options = PrivilegedOptions

    def configure(self, config: Config) -> Config:
        own = self.options
        return with_settings(
            config,
            loss={"alpha": own.alpha, "top_k": own.top_k},
            teacher={"kind": own.teacher, "rate": own.rate},
        )

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return [group.item.solution] * len(group.rollouts)
