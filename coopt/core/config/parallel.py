"""How a phase is spread over processes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coopt.core.config.section import Section


class ParallelConfig(Section):
    """Ranks of one training phase. It defines a run: sums over ranks round in a different order."""

    ranks: int = Field(1, ge=1)
    """Processes that train one tutee together, weights sharded over them (FSDP2). 1: one plain process."""
    backend: Literal["auto", "gloo", "nccl"] = "auto"
    """What carries tensors between ranks. auto: nccl on GPUs, gloo on CPUs."""
    reduce_dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision in which gradients are summed over the ranks."""
    lockstep: bool = True
    """Students that are adapters on one base (model.shared_base) write, teach and learn in one pass through it, on each
    worker; where they cannot, each by itself, and the plan says why. Texts are the same, losses up to rounding."""
    lockstep_students: int = Field(0, ge=0)
    """Most students that a worker trains in lockstep; 0: all of them. Each has its adapter, gradients, moments and
    teacher in the memory of one GPU: the plan says how many fit."""
    activation_checkpointing: bool = False
    """Recompute each block's activations in the backward pass instead of keeping them (also with one rank)."""
    cpu_offload: bool = False
    """Keep the shards of weights, gradients and moments on the CPU (ranks > 1)."""
