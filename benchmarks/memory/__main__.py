"""Memory of the paper's step, phase by phase, by coopt's own trainers on tensors without values, against the plan.

    python -m benchmarks.memory                      # Qwen3-8B on 1, 2 and 8 ranks (two minutes)
    python -m benchmarks.memory Qwen3-1.7B --ranks 2 --set loss.batch_tokens=16384
    python -m benchmarks.memory --preset paper-1gpu --ranks 1     # adapters on a frozen base

Exit code 1: a plan is off by more than a tenth. What CUDA itself takes, what torch's allocator keeps, the engine and
tutors are not in it.
"""

from __future__ import annotations

import argparse
import sys
import warnings

from benchmarks.memory.phases import TRAINING, Lives, planned, simulate
from benchmarks.perf.adapters import SIZES, tree_of
from coopt.core.config.load import load_config
from coopt.core.tables.screen import output, show
from coopt.core.tables.table import Table
from coopt.driver.plan.memory import GIB

OFF = 0.1
COLUMNS = ["ranks", "start", *TRAINING, "between updates", "generating", "training"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", default="Qwen3-8B", choices=SIZES)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting over the preset's")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", message="Accessing the data pointer of FakeTensor")
    rows, worst = [], 0.0
    for ranks in asked.ranks:
        settings = ["run.device=cpu", f"parallel.ranks={ranks}", *asked.settings]
        config = load_config(preset=asked.preset, settings=settings)
        plan = planned(config, tree_of(asked.shape))
        lives = simulate(tree_of(asked.shape), config)
        rows.append(_row(ranks, lives, plan))
        worst = max(worst, abs(plan[0] / lives.generating - 1), abs(plan[1] / lives.training - 1))
    notes = ["generating and training: simulated / planned, without tutor, engine and cache"]
    show([Table(f"{asked.shape}: GiB of a rank, the most in each phase", COLUMNS, rows, notes)], output())
    print(f"the plan is off by {worst:.1%} at most")
    sys.exit(worst > OFF)


def _row(ranks: int, lives: Lives, plan: tuple[float, float]) -> list[str]:
    found = [lives.lasting["start"], *(lives.peaks[p] for p in TRAINING), lives.lasting["update"]]
    both = zip((lives.generating, lives.training), plan, strict=True)
    return [str(ranks), *(f"{b / GIB:.1f}" for b in found), *(f"{s / GIB:.1f} / {p / GIB:.1f}" for s, p in both)]


if __name__ == "__main__":
    main()
