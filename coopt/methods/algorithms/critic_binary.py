"""The GRPO arm of feedback alignment (arXiv 2606.11173, method facts A): the binary reward alone."""

from __future__ import annotations

from coopt.methods.algorithms.grpo import GRPO, GRPOOptions
from coopt.methods.base import method


class BinaryOptions(GRPOOptions):
    """GRPO's settings, as that paper has them."""

    std: bool = True


@method
class CriticBinary(GRPO):
    """A_j = (r_j - mean r) / std r, on the data and the n rollouts of the other two arms."""

    name = "critic_binary"
    description = "feedback alignment: GRPO on the binary reward, no critic"
    against = ("critic_reference",)
    Options = BinaryOptions
