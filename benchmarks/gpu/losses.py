"""The distillation loss over Qwen's vocabulary: time and memory of the chunks, with the head in float32 and in
bfloat16, of all tokens at once, and of Liger."""

from __future__ import annotations

import importlib.util

from benchmarks.gpu.found import Found
from benchmarks.gpu.models import Size
from benchmarks.perf import loss_memory
from benchmarks.perf.loss_memory import Made, Way
from benchmarks.perf.peak import Cost, cost


def measure(size: Size) -> Found:
    found = Found()
    tokens, vocabulary = size.of(4096, 32), size.of(loss_memory.VOCABULARY, 2000)
    ways: list[Way] = ["naive", "full", "default", "reduced"]
    if size.device.type == "cuda" and importlib.util.find_spec("liger_kernel"):
        ways.append("liger")
    costs: dict[Way, Cost] = {}
    made: dict[Way, Made] = {}
    for way in ways:
        loss_memory.prepare(way, 8, size.device, vocabulary)()  # loads kernels
        costs[way] = cost(loss_memory.prepare(way, tokens, size.device, vocabulary), size.device)
        made[way] = loss_memory.prepare(way, 32, size.device, vocabulary)()
        found.figures[f"{loss_memory.WHAT[way]}: s"] = costs[way].seconds
        found.figures[f"{loss_memory.WHAT[way]}: GiB"] = costs[way].bytes / 2**30
    off = {way: abs(made[way].loss / made["naive"].loss - 1) for way in made}
    found.most("loss over all entries, chunks less at once, relative", off["full"], 1e-4)
    # Operands are rounded to 8 bits: 2^-9 each at most. Gradients are compared as vectors.
    found.most("loss, head in bfloat16, relative", off["reduced"], 5e-3)
    for what in ("hidden", "head"):
        ours, exact = getattr(made["reduced"], what), getattr(made["full"], what)
        found.most(f"gradient of {what}, head in bfloat16, relative", float((ours - exact).norm() / exact.norm()), 2e-2)
    if not size.dry:
        found.most("memory of the chunks over that at once", costs["full"].bytes / costs["naive"].bytes, 0.5)
    return found
