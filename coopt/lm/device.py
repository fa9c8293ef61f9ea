"""Where models are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from coopt.core.errors import RunError


def pick_device(name: str) -> torch.device:
    """``auto`` is the first CUDA GPU, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def give_back_memory(device: torch.device) -> None:
    """Hand the driver what torch keeps for later: another process (vLLM) is about to take memory of this GPU."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def compute_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision that ``model.dtype`` means on a device. auto is float32 on CPUs, because most have no bfloat16 of
    their own: with AVX2 alone a model of 135M parameters took 6 times as long to read a prompt in it, 11 to train."""
    if name == "auto":
        name = "float32" if device.type == "cpu" else "bfloat16"
    dtype: torch.dtype = getattr(torch, name)
    return dtype


@contextmanager
def full_card(what: str) -> Iterator[None]:
    """A GPU whose memory does not do for ``what`` is said in one line. Raises ``RunError``."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        said = " ".join(str(error).split())
        tried = said.partition("Tried to allocate ")[2].partition(". ")[0]
        raise RunError(
            f"{what}: the GPU is out of memory{f' (for {tried} more)' if tried else ''}. Lower loss.batch_tokens or"
            " engine.gpu_memory_share (with engine hf: sampling.batch_rows), set parallel.activation_checkpointing=true"
            " or raise parallel.ranks; the same command with --dry-run says how much memory they take."
        ) from None
