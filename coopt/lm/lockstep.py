"""The rendezvous of students that train, write and teach together."""

from __future__ import annotations

from coopt.core.config.engine import EngineKind
from coopt.core.rendezvous import Rendezvous
from coopt.lm.engines.lockstep import GENERATE, generate_together
from coopt.lm.training.lockstep import BACK, READ, go_back_together, read_together


def meeting(engine: EngineKind = "hf") -> Rendezvous:
    """A rendezvous at which models are called, and an engine that writes."""
    if engine == "hf":
        return Rendezvous({GENERATE: generate_together, READ: read_together, BACK: go_back_together})
    from coopt.lm.engines import vllm_lockstep as by_vllm

    read, back = by_vllm.resting(read_together), by_vllm.resting(go_back_together)
    return Rendezvous({READ: read, BACK: back, GENERATE: by_vllm.generate_together})  # it is asleep until it is asked
