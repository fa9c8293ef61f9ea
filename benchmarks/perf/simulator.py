"""How long do large simulations take, and how much memory do they need?

Building a random regular graph of degree 8 and 100 rounds of ``opcod`` behind the cognizance gate; each simulation in
a process of its own.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.perf.ratio import Ratio, in_fresh_process

DEGREE, ROUNDS, STUDENTS, LIMIT = 8, 100, 10_000, 10.0
MEMORY = 8e9 / 2**30
"""GiB that a million students may take."""


class Played(NamedTuple):
    """Seconds of the graph and of the rounds; peak resident memory of the process in GiB."""

    graph: float
    rounds: float
    memory: float

    @property
    def seconds(self) -> float:
        return self.graph + self.rounds


def measure(pairs: int) -> list[Ratio]:
    small = [in_fresh_process(play, STUDENTS) for _ in range(pairs)]
    large = in_fresh_process(play, 10 * STUDENTS)
    what = f"degree {DEGREE}, {ROUNDS} rounds"
    return [
        Ratio(
            name="simulator/students",
            what=f"simulator, {STUDENTS:,} students, {what}",
            against="limit: 10 s on two cores",
            unit="s",
            pairs=[(p.seconds, LIMIT) for p in small],
            at_most=1.0,
            notes=[f"{p.graph:.1f} s of them for the graph; peak memory {p.memory:.2f} GiB" for p in small[:1]],
        ),
        Ratio(
            name="simulator/ten_times",
            what=f"simulator, {10 * STUDENTS:,} students, {what}",
            against=f"ten times {STUDENTS:,} students",
            unit="s",
            pairs=[(large.seconds, 10 * p.seconds) for p in small],
            notes=[f"measured once; peak memory {large.memory:.2f} GiB"],
        ),
        Ratio(
            name="simulator/memory",
            what=f"simulator, ten times the memory of {10 * STUDENTS:,} students, {what}",
            against="limit: 8 GB for 1,000,000 students",
            unit="GiB",
            pairs=[(10 * large.memory, MEMORY)],
            at_most=1.0,
        ),
    ]


def play(students: int) -> Played:
    """One simulation in this process."""
    from coopt.core.config.load import load_config
    from coopt.driver.simulate.constants import load_constants
    from coopt.driver.simulate.dynamics import World
    from coopt.driver.simulate.summary import simulate_all
    from coopt.graph.files import load_topology

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "regular.toml"
        path.write_text(f'[generator]\ngraph = "random_regular_graph"\nnodes = 8\nd = {DEGREE}\nseed = 0\n')
        topology = load_topology(str(path), ("physics", "chemistry"), students)
    built = time.perf_counter()
    config = load_config(domains="phys,chem", settings=[f"rounds.rounds={ROUNDS}"])
    simulate_all(World(topology, config, load_constants()), ["opcod"], [0])
    ended = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return Played(built - start, ended - built, memory)
