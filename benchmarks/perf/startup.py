"""How long does ``coopt --help`` take? Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.perf.ratio import Ratio

LIMIT = 0.3
COOPT = str(Path(sys.executable).with_name("coopt"))


def measure(pairs: int) -> list[Ratio]:
    seconds()  # from then on its files are in the page cache
    found = [(seconds(), LIMIT) for _ in range(2 * pairs)]
    return [Ratio(name="startup/help", what="coopt --help", against="limit: 0.3 s", unit="s", pairs=found, at_most=1.0)]


def seconds() -> float:
    start = time.perf_counter()
    subprocess.run([COOPT, "--help"], check=True, capture_output=True)
    return time.perf_counter() - start
