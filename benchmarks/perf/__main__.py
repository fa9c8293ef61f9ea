"""Run the benchmarks of this folder, each in a process of its own, and write what they found.

    python -m benchmarks.perf                    # all: results/*.json and the table in README.md
    python -m benchmarks.perf decode startup     # some of them
    python -m benchmarks.perf --check            # against results/*.json: what got slower? Writes nothing
    python -m benchmarks.perf --table            # only the table, of the results that are there

A benchmark is a module with ``measure(pairs)``. Leave the machine alone meanwhile: ratios forgive a slow minute, not
a busy one.
"""

from __future__ import annotations

import argparse
import importlib
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.perf.ratio import RESULTS, Measured, Ratio, machine, read, table, write
from coopt.core import store
from coopt.core.tables.screen import output, show
from coopt.core.tables.table import Table, render

HERE = Path(__file__).parent
BENCHMARKS = (
    "startup", "simulator", "decode", "sdpo_step", "feedback_step", "loss_memory", "adapters", "degree",
    "lockstep", "slurm",
)  # fmt: skip
SLACK = 1.1
"""A ratio is worse if it is beyond the worst one of the baseline by more than this factor."""
BEGIN, END = "<!-- table: begin (written by make perf) -->", "<!-- table: end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements a ratio")
    parser.add_argument("--check", action="store_true", help="compare with results/, and write nothing")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--here", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BENCHMARKS)
    if asked.pairs < 1:
        sys.exit(f"--pairs must be at least 1, got {asked.pairs}")
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    names = asked.names or list(BENCHMARKS)
    if asked.here:
        perform(names[0], asked.pairs, asked.here)
    elif asked.check:
        sys.exit(check(names, asked.pairs))
    else:
        failed = [] if asked.table else [n for n in names if not _apart(n, asked.pairs, RESULTS)]
        publish()
        sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def perform(name: str, pairs: int, folder: Path) -> None:
    """One benchmark in this process."""
    before, start = machine(), time.perf_counter()
    try:
        ratios = importlib.import_module(f"benchmarks.perf.{name}").measure(pairs)
    except ModuleNotFoundError as error:
        sys.exit(f"{name} needs {error.name}, which is not installed: make perf installs what is measured against")
    command = f"python -m benchmarks.perf {name}"
    measured = Measured(machine=before, command=command, seconds=time.perf_counter() - start, ratios=ratios)
    write(name, measured, folder)


def publish() -> None:
    """The table of what is in ``results``: to the terminal, and into README.md here."""
    found = baseline(BENCHMARKS)
    show([table(found)], output())
    readme = HERE / "README.md"
    store.write_text(readme, with_table(readme.read_text(encoding="utf-8"), table(found)))


def with_table(text: str, made: Table) -> str:
    """A document with this table between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render([made], 'md')}\n{END}{after}"


def baseline(names: tuple[str, ...] | list[str]) -> dict[str, Measured]:
    return {n: read(RESULTS / f"{n}.json") for n in names if (RESULTS / f"{n}.json").is_file()}


def check(names: list[str], pairs: int) -> int:
    """What is worse than the committed baseline; the exit code says whether anything is."""
    committed = baseline(names)
    for name in set(names) - set(committed):
        print(
            f"{name}: nothing is committed to compare with; python -m benchmarks.perf {name} writes it", file=sys.stderr
        )
    with tempfile.TemporaryDirectory() as folder:
        failed = [n for n in committed if not _apart(n, pairs, Path(folder))]
        now = {n: read(Path(folder) / f"{n}.json") for n in committed if n not in failed}
    rows, worse = compared(committed, now)
    show([Table("Against the committed baseline", ["what", "before", "range", "now", "verdict"], rows)], output())
    for name in failed:
        print(f"{name}: the benchmark failed; see above", file=sys.stderr)
    return 1 if worse or failed else 0


def compared(committed: dict[str, Measured], now: dict[str, Measured]) -> tuple[list[list[str]], int]:
    """A row a ratio that both have, and how many are worse."""
    before = {r.name: r for file in committed.values() for r in file.ratios}
    rows, worse = [], 0
    for ratio in (r for file in now.values() for r in file.ratios if r.name in before):
        old = before[ratio.name]
        said = verdict(old, ratio)
        worse += said == "worse"
        spread = f"{min(old.ratios):.3g}-{max(old.ratios):.3g}"
        rows.append([ratio.name, f"{old.ratio:.3g}", spread, f"{ratio.ratio:.3g}", said])
    return rows, worse


def verdict(old: Ratio, new: Ratio) -> str:
    if old.higher_is_better:
        gain, loss = new.ratio / max(old.ratios), min(old.ratios) / new.ratio
    else:
        gain, loss = min(old.ratios) / new.ratio, new.ratio / max(old.ratios)
    return "worse" if loss > SLACK else "better" if gain > SLACK else "same"


def _apart(name: str, pairs: int, folder: Path) -> bool:
    """A benchmark in a process of its own; False if it failed."""
    command = [sys.executable, "-m", "benchmarks.perf", name, "--pairs", str(pairs), "--here", str(folder)]
    print(f"{name} ...", file=sys.stderr)
    done = subprocess.run(command, cwd=HERE.parents[1], check=False)
    if done.returncode:
        print(f"{name} failed ({done.returncode}): {shlex.join(command)}", file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    main()
