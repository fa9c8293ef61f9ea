"""Memory of one GPU, part by part. ``docs/sweeps.md`` has the formula in words.

Exact: weights, gradients, moments, teacher. Estimated: what is alive during a forward and backward, and the KV cache.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from coopt.core.config.schema import Config
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.shape import Shape

GIB = 2**30
_WIDE, _REDUCED = 4, 2  # bytes of float32 and bfloat16
_LOGIT_COPIES = (
    6  # logits, log-softmax and gradient of the student's; logits, log-softmax and top-k work of the teacher's
)
_FILE = 2**30  # of a checkpoint, put together as tensors and again as bytes
_PINNED = 1.4  # of what vLLM pins while it sleeps: each allocation is rounded up to a power of two, and kept
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
    students: int = 1
    """That are trained in lockstep: adapters on one base."""

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
    """What one of ``placed.ranks`` GPUs holds while one student is trained, or ``placed.students`` in lockstep."""
    rank = config.model.lora_rank if config.model.weights == "lora" else None
    trained, tensors = shape.trained(rank)
    frozen = shape.parameters if rank is not None else 0
    r, shared = placed.ranks, f" / {placed.ranks} ranks" * (placed.ranks > 1)
    held = 0 if placed.offload else 1
    shared += ", on the CPU" * placed.offload
    trained *= placed.students
    tensors *= placed.students
    shadows = trained if config.teacher.kind != "live" else 0
    return [
        MemoryPart("weights", held * _WIDE * (frozen + trained) / r, f"4 bytes x {frozen + trained:,}{shared}"),
        MemoryPart("gradients", held * _WIDE * trained / r, f"4 bytes x {trained:,}{shared}", generating=False),
        MemoryPart(
            "AdamW moments", held * (2 * _WIDE * trained + _WIDE * tensors) / r, f"8 bytes x {trained:,}{shared}"
        ),
        MemoryPart("EMA teacher", held * _WIDE * shadows / r, f"4 bytes x {shadows:,}{shared}"),
        *_computing(config, shape, assumed, placed, trained),
        *_generating(config, shape, assumed, placed),
        *_tutors(placed, trained),
    ]


def students_that_fit(config: Config, shape: Shape, assumed: Assumed, placed: Placement) -> int:
    """How many students one GPU trains in lockstep, ``placed.students`` at most; 0: not even one."""

    def needed(students: int) -> float:
        return max(peaks(memory_parts(config, shape, assumed, placed._replace(students=students))))

    room = assumed.gpu_gib * GIB
    return bisect_left(range(1, placed.students + 1), True, key=lambda students: needed(students) >= room)


def _tutors(placed: Placement, trained: int) -> list[MemoryPart]:
    """In lockstep the tutors of all are held at once: students as they were at the round's start."""
    if placed.students == 1:
        return []
    return [MemoryPart("tutors' adapters", _WIDE * trained, f"4 bytes x {trained:,}, {placed.students} students")]


def _computing(config: Config, shape: Shape, assumed: Assumed, placed: Placement, trained: int) -> list[MemoryPart]:
    """Alive in a forward and backward of one micro-batch."""
    size = _REDUCED if config.model.dtype != "float32" else _WIDE
    tokens = max(config.loss.batch_tokens, assumed.longest_prompt + config.sampling.max_response_tokens)
    # Autocast leaves in float32 what is between products; gathered blocks are reduced as a whole, up to their norms.
    between, gated = activation_values(shape)
    width = (_WIDE, _WIDE) if placed.ranks == 1 else (size, (size + _WIDE) / 2)
    inputs, inner = width[0] * shape.hidden, width[1] * between + size * gated
    logits = _WIDE * _LOGIT_COPIES * min(config.loss.chunk_logits, tokens * shape.vocabulary)
    how = f"{_LOGIT_COPIES} x {_WIDE} bytes x {logits / _WIDE / _LOGIT_COPIES:,.0f}"
    kept = f"{tokens:,} tokens x {shape.layers} blocks"
    if placed.recompute:
        # What a block keeps is there when the gradient has come back to it; the logits are gone by then.
        name, most = ("one block", tokens * inner) if tokens * inner > logits else ("logits", logits)
        inside = MemoryPart(name, most, f"{tokens:,} tokens, or {how}: the larger", generating=False)
        activations = MemoryPart(
            "activations", tokens * shape.layers * inputs, f"{kept}, their inputs", generating=False
        )
    else:
        inside = MemoryPart("logits", logits, how, generating=False)
        activations = MemoryPart("activations", tokens * shape.layers * inner, kept, generating=False)
    return [*_copies(config, shape, placed, trained, size), activations, inside]


def _copies(config: Config, shape: Shape, placed: Placement, trained: int, size: int) -> list[MemoryPart]:
    """Weights that are there a second time while they compute. Of ranks the root group stays gathered in float32 until
    the backward pass is done, its gradients add up whole, and the teacher's head lies beside the student's."""
    if placed.ranks > 1:
        full = config.model.weights == "full"
        gathered = size * _GATHERED_BLOCKS * shape.block + _WIDE * shape.root
        how = f"{_GATHERED_BLOCKS} blocks of {shape.block:,}, and {shape.root:,} outside of blocks"
        parts = [MemoryPart("gathered weights", gathered, how, generating=False)]
        if full:
            heads = shape.root + (shape.head if config.teacher.kind != "live" else 0)
            how = f"4 bytes x {heads:,}: gradients outside of blocks, the teacher's head"
            parts.append(MemoryPart("gathered heads", _WIDE * heads, how, generating=False))
        return parts
    if size == _WIDE:
        return [MemoryPart("copies for computing", 0.0, "none in float32")]
    # Autocast keeps its copies of trained weights; of frozen ones a block's are there, and the head's where a token is
    # written (the loss multiplies by the head itself).
    kept = max(trained, _GATHERED_BLOCKS * shape.block)
    training = MemoryPart("copies for computing", size * kept, f"2 bytes x {kept:,}", generating=kept >= shape.head)
    if training.generating:
        return [training]
    how = f"2 bytes x {shape.head:,}"
    return [training, MemoryPart("copy of the head", size * shape.head, how, training=False)]


def activation_values(shape: Shape) -> tuple[int, int]:
    """Values that one block keeps of a token for its backward: inputs of norms, of projections and of attention, which
    itself keeps no scores; and gate, up, their product and the activation of the MLP."""
    return 8 * shape.hidden + 3 * shape.queries + 4 * shape.keys, 4 * shape.intermediate


def _generating(config: Config, shape: Shape, assumed: Assumed, placed: Placement) -> list[MemoryPart]:
    """The engine's side: the whole copy that a rank serves from, a tutor in the trainer's process, and the engine."""
    size = _REDUCED if config.model.dtype != "float32" else _WIDE
    rows = min(config.sampling.batch_rows, config.rounds.prompts * config.rounds.rollouts)
    tokens = assumed.longest_prompt + config.sampling.max_response_tokens
    each = size * 2 * shape.layers * shape.keys
    models = []
    if placed.ranks > 1:
        models = [
            MemoryPart(
                "served copy", size * shape.parameters, f"{size} bytes x {shape.parameters:,}, whole on each rank"
            )
        ]
    if not config.one_base:  # there a tutor is an adapter
        how = f"{size} bytes x {shape.parameters:,}, one tutor at a time"
        models.append(MemoryPart("tutor", size * shape.parameters, how))
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


def host_bytes(config: Config, shape: Shape, placed: Placement) -> float:
    """Memory that one rank on a GPU needs of its node at most: it is loaded whole in float32; later a checkpoint lies
    there until it is written, beside the memory that vLLM sleeps in and the weights that are being handed to it."""
    trained, _ = shape.trained(config.model.lora_rank if config.model.weights == "lora" else None)
    size = _REDUCED if config.model.dtype != "float32" else _WIDE
    kept = (4 if config.teacher.kind != "live" else 3) * _WIDE * trained  # weights, two moments, teacher
    saved = kept / placed.ranks + (2 * _FILE if placed.ranks > 1 else 0)
    shards = kept / placed.ranks if placed.offload else 0
    asleep = _PINNED * size * shape.parameters if placed.engine == "vllm" and placed.sleep else 0
    # Adapters are merged there in float32; those on a shared base are handed over as they are.
    each = size + (_WIDE if config.model.weights == "lora" else 0)
    handed = each * shape.parameters if placed.engine == "vllm" and not config.one_base else 0
    return max(_WIDE * shape.parameters, saved + asleep + handed) + shards
