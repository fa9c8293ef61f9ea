"""Has anything changed? The same small benches by BASE's code and by the code here, compared to the bit.

    make same BASE=<commit>                      # everything
    make same BASE=<commit> ARGS="ranks gate"    # some runs
    python -m benchmarks.same --list             # their names

For each run: BASE makes it and reads it (kept under .same/, so only once), the code here makes it, and the code here
reads and resumes what BASE made. That it would read its own alike follows, because the folders are the same.
Exit code 0: nothing differs; 1: something does, and is named; 2: a call that cannot be met.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.same.checkout import (
    HERE,
    BaseError,
    alone,
    commit_of,
    folder_of,
    forget_others,
    results_of,
    worktree,
)
from benchmarks.same.drive import Found, Sides, perform_all
from benchmarks.same.endpoint import serving
from benchmarks.same.perform import Checkout, CommandError
from benchmarks.same.runs import NAMES, all_runs

_ENDED = 143  # what a shell calls the end by SIGTERM
_SHOWN = 12  # differences of a run that are printed; the others are counted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", nargs="?", metavar="BASE", help="a commit that the code here must not differ from")
    parser.add_argument("names", nargs="*", metavar="NAME", help="runs; all if none is named")
    parser.add_argument("--list", action="store_true", help="the names of the runs, and stop")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="commands at once (default: cores)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of the code here, to look into them")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_ENDED))
    try:
        return _list() if asked.list else same(asked.base or "", asked.names, max(1, asked.jobs), keep=asked.keep)
    except (BaseError, CommandError) as error:
        print(f"same: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _list() -> int:
    for run in all_runs(HERE / "benchmarks/results"):
        print(f"{run.name:10} {run.says}")
    return 0


def same(base: str, names: Sequence[str], jobs: int, *, keep: bool) -> int:
    """Compare, print, and return the exit code. Raises ``BaseError``, ``CommandError``."""
    if not base:
        raise BaseError("BASE is missing: make same BASE=<commit>")
    commit = commit_of(base)
    unknown = [n for n in names if n not in NAMES]
    if unknown:
        raise BaseError(f"no run {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    folder, began = folder_of(commit), time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(alone())
        forget_others(folder)
        folder.mkdir(exist_ok=True)
        results = results_of(commit, folder)
        runs = [r for r in all_runs(results) if r.name in names or not names]
        proxy = stack.enter_context(serving())
        new = Checkout(HERE, results, proxy)
        sides = Sides(new, new, folder)
        if not all(sides.base_folder(r).is_dir() for r in runs):
            sides = sides._replace(base=Checkout(stack.enter_context(worktree(commit)), results, proxy))
        for side in (sides.base, sides.new):
            side.check()
        found = perform_all(runs, sides, jobs, lambda name, one: print(_line(name, one), flush=True))
        if not keep:
            shutil.rmtree(folder / "new", ignore_errors=True)
            shutil.rmtree(folder / "again", ignore_errors=True)
    return _conclude(found, commit, time.monotonic() - began)


def _line(name: str, found: Found) -> str:
    spent = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in found.seconds.items())
    verdict = found.failure or (f"differs in {len(found.differences)} files" if found.differences else "same")
    return f"{name:10} {verdict} ({spent})"


def _conclude(found: dict[str, Found], commit: str, seconds: float) -> int:
    bad = {name: f for name, f in found.items() if f.differences or f.failure}
    for name, one in bad.items():
        print(f"\n{name}:")
        if one.failure:
            print(f"  {one.failure}")
        for difference in one.differences[:_SHOWN]:
            print(f"  {difference}")
        if len(one.differences) > _SHOWN:
            print(f"  and {len(one.differences) - _SHOWN} more files")
    verdict = f"{len(bad)} of {len(found)} runs differ from" if bad else f"all {len(found)} runs are the same as"
    print(f"\n{verdict} {commit[:10]} ({seconds:.0f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
