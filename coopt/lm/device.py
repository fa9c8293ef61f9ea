"""Where models are."""

from __future__ import annotations

import torch


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
