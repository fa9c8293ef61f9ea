"""Memory of one GPU, part by part. ``docs/sweeps.md`` has the formula in words.

Exact: weights, gradients, moments, teacher. Estimated: what is alive during a forward and backward, and the KV cache.
"""

from __future__ import annotations

from typing import NamedTuple

from coopt.core.config.schema import Config
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.shape import Shape

GIB = 2**30
_WIDE, _REDUCED = 4, 2  # bytes of float32 and bfloat16
_LOGIT_COPIES = (
    6  # logits, log-softmax and gradient of the student's; logits, log-softmax and top-k work of the teacher's
)
_GATHERED_BLOCKS = 2  # FSDP computes on one block and fetches the next


class MemoryPart(NamedTuple):
    """One thing that lies in a GPU's memory."""

    name: str
    bytes: float
    how: str
    generating: bool = True
    """It is there while rollouts and feedback are generated."""
    training: bool = True
    """It is there while gradients are computed."""


class Placement(NamedTuple):
    """How a task is spread over GPUs and which engine generates."""

    ranks: int = 1
    recompute: bool = False
    """Activation checkpointing."""
    offload: bool = False
    """Shards of weights, gradients and moments stay on the CPU."""
    engine: str = "hf"
    share: float = 0.45
    """Of a GPU's memory, for vLLM's weights and cache."""
    tensor_parallel: int = 1
    sleep: bool = True
    """vLLM gives its memory back while the student trains."""

    @classmethod
    def of(cls, config: Config) -> Placement:
        parallel, engine = config.parallel, config.engine
        return cls(
            parallel.ranks,
            parallel.activation_checkpointing,
            parallel.cpu_offload and parallel.ranks > 1,
            engine.kind,
            engine.gpu_memory_share,
            engine.tensor_parallel,
            engine.sleep,
        )


def memory_parts(config: Config, shape: Shape, assumed: Assumed, placed: Placement) -> list[MemoryPart]:
    """What one of ``placed.ranks`` GPUs holds while one student is trained."""
    rank = config.model.lora_rank if config.model.weights == "lora" else None
    trained, tensors = shape.trained(rank)
    frozen = shape.parameters if rank is not None else 0
    r, shared = placed.ranks, f" / {placed.ranks} ranks" * (placed.ranks > 1)
    held = 0 if placed.offload else 1
    shared += ", on the CPU" * placed.offload
    shadows = trained if config.teacher.kind != "live" else 0
    return [
        MemoryPart("weights", held * _WIDE * (frozen + trained) / r, f"4 bytes x {frozen + trained:,}{shared}"),
        MemoryPart("gradients", held * _WIDE * trained / r, f"4 bytes x {trained:,}{shared}", generating=False),
        MemoryPart(
            "AdamW moments", held * (2 * _WIDE * trained + _WIDE * tensors) / r, f"8 bytes x {trained:,}{shared}"
        ),
        MemoryPart("EMA teacher", _WIDE * shadows / r, f"4 bytes x {shadows:,}{shared}"),
        *_computing(config, shape, assumed, placed, trained),
        *_generating(config, shape, assumed, placed),
    ]


def _computing(config: Config, shape: Shape, assumed: Assumed, placed: Placement, trained: int) -> list[MemoryPart]:
    """Alive in a forward and backward of one micro-batch."""
    size = _REDUCED if config.model.dtype != "float32" else _WIDE
    copies, how = 0.0, "none in float32"
    if placed.ranks > 1:
        copies = size * _GATHERED_BLOCKS * shape.block + _WIDE * shape.head
        how = f"{_GATHERED_BLOCKS} gathered blocks of {shape.block:,}, and the head"
    elif size == _REDUCED:
        kept = max(trained, _GATHERED_BLOCKS * shape.block)  # autocast keeps its copies of trained weights
        copies, how = size * kept, f"2 bytes x {kept:,}"
    tokens = max(config.loss.batch_tokens, assumed.longest_prompt + config.sampling.max_response_tokens)
    inner = activation_values(shape)
    each = shape.layers * shape.hidden + inner if placed.recompute else shape.layers * inner
    logits = min(config.loss.chunk_logits, tokens * shape.vocabulary)
    kind = "block inputs, and one block" if placed.recompute else f"{shape.layers} blocks"
    return [
        MemoryPart("copies for computing", copies, how),
        MemoryPart("activations", size * tokens * each, f"{tokens:,} tokens x {kind}", generating=False),
        MemoryPart(
            "logits", _WIDE * _LOGIT_COPIES * logits, f"{_LOGIT_COPIES} x 4 bytes x {logits:,}", generating=False
        ),
    ]


def activation_values(shape: Shape) -> int:
    """Values that one block keeps of a token for its backward: inputs of norms (also in float32), of projections and
    of attention, which itself keeps no scores; gate, up, their product and the activation of the MLP."""
    return 8 * shape.hidden + 3 * shape.queries + 4 * shape.keys + 4 * shape.intermediate


def _generating(config: Config, shape: Shape, assumed: Assumed, placed: Placement) -> list[MemoryPart]:
    """The engine's side: the whole copy that a rank serves from, a tutor in the trainer's process, and the engine."""
    size = _REDUCED if config.model.dtype != "float32" else _WIDE
    rows = min(config.sampling.batch_rows, config.rounds.prompts * config.rounds.rollouts)
    tokens = assumed.longest_prompt + config.sampling.max_response_tokens
    each = size * 2 * shape.layers * shape.keys
    held_as = size if placed.ranks > 1 else _WIDE
    models = []
    if placed.ranks > 1:
        models = [
            MemoryPart(
                "served copy", size * shape.parameters, f"{size} bytes x {shape.parameters:,}, whole on each rank"
            )
        ]
    if not config.model.shared_base:  # there a tutor is an adapter
        how = f"{held_as} bytes x {shape.parameters:,}, one tutor at a time"
        models.append(MemoryPart("tutor", held_as * shape.parameters, how))
    if placed.engine == "vllm":  # tutors are swapped into the same engine; the canary needs them in this process too
        held = placed.share * assumed.gpu_gib * GIB
        weights = size * shape.parameters / placed.tensor_parallel
        room = max(0.0, held - weights) * placed.tensor_parallel / (each * tokens)
        how = f"{placed.share:.0%} of {assumed.gpu_gib:g} GiB: weights {weights / GIB:.1f}, and {room:.0f} rows"
        return [
            *models,
            MemoryPart("vLLM", held, f"{how} x {tokens:,} x {each / 1024:,.0f} KiB", training=not placed.sleep),
        ]
    cache = f"{rows} rows x {tokens:,} tokens x {each / 1024:,.0f} KiB"
    return [*models, MemoryPart("KV cache", each * rows * tokens, cache, training=False)]


def peaks(parts: list[MemoryPart]) -> tuple[float, float]:
    """Bytes while generating and while training; the larger one decides."""
    return sum(p.bytes for p in parts if p.generating), sum(p.bytes for p in parts if p.training)
