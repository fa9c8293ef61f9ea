"""Where models are."""

from __future__ import annotations

import torch


def pick_device(name: str) -> torch.device:
    """``auto`` is the first CUDA GPU, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
