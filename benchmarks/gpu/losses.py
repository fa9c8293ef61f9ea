"""The distillation loss over Qwen's vocabulary: time and memory of the chunks, of all tokens at once, and of Liger."""

from __future__ import annotations

import importlib.util

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from benchmarks.perf import loss_memory
from benchmarks.perf.loss_memory import Way
from benchmarks.perf.peak import Cost, cost


def measure(size: Size) -> Found:
    found = Found()
    tokens, vocabulary = size.of(4096, 32), size.of(loss_memory.VOCABULARY, 2000)
    ways: list[Way] = ["naive", "full", "default"]
    if size.device.type == "cuda" and importlib.util.find_spec("liger_kernel"):
        ways.append("liger")
    costs: dict[Way, Cost] = {}
    values = {}
    for way in ways:
        loss_memory.prepare(way, 8, size.device, vocabulary)()  # loads kernels
        costs[way] = cost(loss_memory.prepare(way, tokens, size.device, vocabulary), size.device)
        values[way] = loss_memory.prepare(way, 32, size.device, vocabulary)().loss
        found.figures[f"{loss_memory.WHAT[way]}: s"] = costs[way].seconds
        found.figures[f"{loss_memory.WHAT[way]}: GiB"] = costs[way].bytes / 2**30
    found.most("loss over all entries, chunks less at once, relative", abs(values["full"] / values["naive"] - 1), 1e-4)
    if not size.dry:
        found.most("memory of the chunks over that at once", costs["full"].bytes / costs["naive"].bytes, 0.5)
    return found
