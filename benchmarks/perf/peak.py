"""The most memory that work holds at once, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import torch


class Cost(NamedTuple):
    seconds: float
    bytes: int
    """The most that was held at once, above what was held before."""


def cost(work: Callable[[], object], device: torch.device) -> Cost:
    """Of resident memory, or on a GPU of memory that torch gave out."""
    cuda = device.type == "cuda"
    before = _start_peak(cuda)
    start = time.perf_counter()
    work()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return Cost(seconds, (torch.cuda.max_memory_allocated() if cuda else _peak_resident()) - before)


def _start_peak(cuda: bool) -> int:
    """Forget the peak until now; what is held now."""
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    Path("/proc/self/clear_refs").write_text("5")  # Linux: peak := present
    return int(psutil.Process().memory_info().rss)


def _peak_resident() -> int:
    """Not ``ru_maxrss``, which is not reset, and which a process takes over from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
