"""Control: opcod without co-evolution."""

from __future__ import annotations

from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method


@method
class FrozenPeers(OPCoD):
    """In every round the tutors are the initial students. A gate compares the tutee as it is now with the tutor that
    speaks, so with its initial scores."""

    name = "frozen_peers"
    description = "control: opcod whose tutors stay the initial students in every round"
    against = ("opcod",)
    frozen_tutors = True
