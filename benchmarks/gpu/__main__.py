"""Does coopt work on this GPU, and how fast? Every part in a process of its own; a part that fails stops no other.

    python -m benchmarks.gpu                     # all parts: a table, and benchmarks/results/gpu/CARD.json
    python -m benchmarks.gpu numerics step       # some of them
    python -m benchmarks.gpu --dry               # on a CPU with tiny shapes: are the parts themselves whole?

Needs no network and no installation beside torch, transformers, peft and coopt's own dependencies (docs/gpu.md). The
last line says how many parts passed; the exit code is 1 if one failed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.gpu.found import Accepted, Found
from benchmarks.gpu.models import Size
from benchmarks.perf.ratio import machine
from coopt.core import store
from coopt.core.tables.screen import output, show

PARTS = {
    "numerics": 90, "decoding": 120, "sharded": 120, "smoke": 400, "step": 240, "adapters": 90, "losses": 90,
    "compiled": 200, "feedback": 120, "peers": 200, "served": 300,
}  # fmt: skip
"""Seconds after which a part is ended. In an order in which what matters most is known first."""
ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--dry", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--out", type=Path, help="the file (benchmarks/results/gpu/CARD.json; dry: none)")
    parser.add_argument("--limit", type=float, default=570, help="seconds for all parts together (570)")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    if not asked.dry and not torch.cuda.is_available():
        sys.exit("no GPU is seen by torch here. On a CPU: python -m benchmarks.gpu --dry")
    if asked.here:
        store.write_json(asked.here, perform(asked.parts[0], Size(asked.dry)).model_dump())
        return
    accepted = Accepted(machine=_machine(asked.dry), dry=asked.dry, parts={})
    path = asked.out or (None if asked.dry else _file(accepted))
    if path and path.is_file() and asked.parts:  # the other parts stay as they were found
        accepted.parts = Accepted.model_validate(store.read_json(path)).parts
    end = time.perf_counter() + (asked.limit if not asked.dry else 3600)
    for name in asked.parts or PARTS:
        found = accepted.parts[name] = apart(name, asked.dry, end - time.perf_counter())
        print(f"{name}: {found.state}, {found.seconds:.0f} s", file=sys.stderr, flush=True)
        if path:
            store.write_json(path, accepted.model_dump())  # after every part: a call may be cut
    show([accepted.table()], output())
    print(accepted.last_line())
    sys.exit(any(found.state == "failed" for found in accepted.parts.values()))


def perform(name: str, size: Size) -> Found:
    """One part, in this process."""
    torch.manual_seed(0)
    return Found.model_validate(importlib.import_module(f"benchmarks.gpu.{name}").measure(size).model_dump())


def apart(name: str, dry: bool, left: float) -> Found:
    """One part in a process of its own, whatever becomes of that."""
    if left < 10:
        return Found(left_out=True, why="no time was left")
    start, limit = time.perf_counter(), min(left, PARTS[name] * (5 if dry else 1))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        command = [sys.executable, "-m", "benchmarks.gpu", name, "--here", str(file), *(["--dry"] if dry else [])]
        part = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            _, said = part.communicate(timeout=limit)
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
        except subprocess.TimeoutExpired:
            os.killpg(part.pid, signal.SIGKILL)  # with what it has started: that would be on the card beside the next
            part.wait()
            last = f"not done after {limit:.0f} s"
        found = Found.model_validate(store.read_json(file)) if file.is_file() else Found(why=last)
    found.seconds = time.perf_counter() - start
    return found


def _machine(dry: bool) -> dict[str, object]:
    card = "none" if dry else torch.cuda.get_device_name()
    return {"card": card, **machine()}


def _file(accepted: Accepted) -> Path:
    card = "-".join(str(accepted.machine["card"]).lower().split())
    return ROOT / "benchmarks/results/gpu" / f"{card}.json"


if __name__ == "__main__":
    main()
