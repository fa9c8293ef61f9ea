"""Whether this machine may have a GPU, told without torch, whose import takes more than a second of a processor."""

from __future__ import annotations

import sys
from pathlib import Path

_DEVICES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Of CUDA, of ROCm, and of CUDA under Windows' Linux; containers have them too."""


def may_have_gpu() -> bool:
    """False: torch has none here. True: ask torch."""
    return "torch" in sys.modules or sys.platform != "linux" or any(Path(d).exists() for d in _DEVICES)
