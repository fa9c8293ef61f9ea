"""The RefSol arm of feedback alignment (arXiv 2606.11173, method facts A): c = the reference solution alone."""

from __future__ import annotations

from coopt.methods.algorithms.privileged import Privileged
from coopt.methods.base import method


@method
class CriticReference(Privileged):
    """The teacher, frozen at the initial policy, reads the worked solution as its demonstration."""

    name = "critic_reference"
    description = "feedback alignment: self-distillation on the worked solution, no critic"
