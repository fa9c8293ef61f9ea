"""How long do large simulations take, and how much memory do they need?

    python benchmarks/simulate.py            # 10,000 students of degree 8 for 100 rounds, and 100,000
    python benchmarks/simulate.py 10000      # only that many

Building the graph and all rounds of ``opcod`` behind the cognizance gate; each size in its own process, three times
for the small one. Prints the median, the range, and the load of the machine when it began.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from coopt.reports.table import Table, output, show

DEGREE, ROUNDS = 8, 100
SIZES = {10_000: 3, 100_000: 1}
"""Students -> repeats."""


def play(students: int) -> dict[str, float]:
    """Seconds and peak memory (GiB) of one simulation in this process."""
    import resource

    from coopt.config.load import load_config
    from coopt.graph.files import load_topology
    from coopt.simulate.constants import load_constants
    from coopt.simulate.dynamics import World
    from coopt.simulate.summary import simulate_all

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "regular.toml"
        path.write_text(f'[generator]\ngraph = "random_regular_graph"\nnodes = 8\nd = {DEGREE}\nseed = 0\n')
        topology = load_topology(str(path), ("physics", "chemistry"), students)
    built = time.perf_counter()
    config = load_config(domains="phys,chem", settings=[f"rounds.rounds={ROUNDS}"])
    results = simulate_all(World(topology, config, load_constants()), ["opcod"], [0])
    ended = time.perf_counter()
    assert results.simulated
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"graph": built - start, "rounds": ended - built, "total": ended - start, "memory": memory}


def main() -> None:
    sizes = [int(a) for a in sys.argv[1:]] or list(SIZES)
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    rows = []
    for students in sizes:
        runs = [_in_new_process(students) for _ in range(SIZES.get(students, 1))]
        middle = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
        spread = f"{min(r['total'] for r in runs):.1f}-{max(r['total'] for r in runs):.1f}"
        cells = [f"{middle[k]:.1f}" for k in ("graph", "rounds", "total")]
        rows.append([f"{students:,}", *cells, spread if len(runs) > 1 else "–", f"{middle['memory']:.2f}"])
    columns = ["students", "graph, s", f"{ROUNDS} rounds, s", "total, s", "range", "peak memory, GiB"]
    note = f"{os.cpu_count()} cores, load average {load} at the start; degree {DEGREE}, opcod, cognizance gate."
    show([Table("SIMULATED: time of large simulations", columns, rows, [note])], output())


def _in_new_process(students: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--play", str(students)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        print(json.dumps(play(int(sys.argv[2]))))
    else:
        main()
