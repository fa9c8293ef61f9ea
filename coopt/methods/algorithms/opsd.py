"""OPSD (arXiv 2601.18734, method facts C.2): c = the reference solution, to be understood and derived anew.

The defaults are its earlier recipe (JSD over the full vocabulary, the teacher fixed at the initial policy). The later
one: ``options.opsd.alpha=0``, ``options.opsd.entry_clip=0.05``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from coopt.methods.algorithms.privileged import Privileged, PrivilegedOptions
from coopt.methods.base import method
from coopt.methods.rollouts import Context, Told

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.lm.training.objectives import Objective


class OPSDOptions(PrivilegedOptions):
    """Settings of OPSD."""

    alpha: float = Field(0.5, ge=0, le=1)
    entry_clip: float = Field(0.0, ge=0)
    """Bound of what one vocabulary entry adds to the divergence; 0: none."""


@method
class OPSD(Privileged):
    """The solution stands under an instruction of its own (``Wording.reference``) and not as a demonstration."""

    name = "opsd"
    description = "self-distillation on the worked solution, which the teacher is to derive anew"
    Options = OPSDOptions

    def context(self, demonstration: str | None, said: Sequence[Told]) -> Context:
        return Context(None, None, reference=demonstration)

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.objectives import Distil

        loss = config.loss
        return Distil(Divergence(loss.alpha, loss.top_k, loss.tail, self.options.entry_clip))
