"""SDPO (arXiv 2601.20802): every student alone, c = s."""

from __future__ import annotations

from coopt.methods.algorithms.self_distillation import SelfDistillation
from coopt.methods.base import method


@method
class SDPO(SelfDistillation):
    """c = s, the student's own earliest correct rollout of the prompt: the baseline."""

    name = "sdpo"
    description = "self-distillation on own correct rollouts, no tutors"
