"""A whole SDPO step against TRL's trainer on the same model, prompts and lengths; where TRL is installed."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size


def measure(size: Size) -> Found:
    if not importlib.util.find_spec("trl"):
        return Found(left_out=True, why="trl is not here")
    from benchmarks.perf.ratio import in_turn
    from benchmarks.perf.sdpo_step import CooptStep, settings
    from benchmarks.perf.trl_step import TRLStep
    from benchmarks.perf.untrained import write_model

    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        directory, config = write_model(Path(folder)), settings(size.device.type)
        ours, theirs = CooptStep(directory, config), TRLStep(directory, config, 4)
        pairs = in_turn(ours, theirs, size.of(5, 1))
    found.figures["s of a step, coopt"] = min(a for a, _ in pairs)
    found.figures["s of a step, TRL"] = min(b for _, b in pairs)
    ratio = sorted(b / a for a, b in pairs)[len(pairs) // 2]
    if size.dry:
        found.least("TRL over coopt", ratio, 0.01)
    else:
        found.least("TRL over coopt", ratio, 1.0)
    return found
