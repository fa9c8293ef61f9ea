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
    activation_checkpointing: bool = False
    """Recompute each block's activations in the backward pass instead of keeping them (also with one rank)."""
    cpu_offload: bool = False
    """Keep the shards of weights, gradients and moments on the CPU (ranks > 1)."""
