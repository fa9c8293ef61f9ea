"""``python -m tests.fuzz [--count 10000] [--seed 0] [--target NAME] [--case K]``

Each case is decided by its target, its number and the seed; a failure names the command that repeats it alone.
"""

from __future__ import annotations

import argparse
import collections
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import NamedTuple

from tests.fuzz import answers, graphs, rows, runs, settings, words
from tests.fuzz.rule import BrokenError

Case = Callable[[Random, Path], bool]
TARGETS: dict[str, tuple[int, Case]] = {
    name: (weight, case)
    for module in (settings, graphs, rows, runs, answers, words)
    for name, weight, case in module.targets()
}


class Failure(NamedTuple):
    """A case that breaks the rule, and the command that repeats it."""

    target: str
    command: str
    why: str


def one(name: str, seed: int, number: int) -> tuple[bool, Failure | None]:
    """Do a case in a folder of its own: whether it was refused, and what is wrong."""
    work, before = Path(mkdtemp(prefix="coopt-fuzz-case-")), Path.cwd()
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    try:
        return TARGETS[name][1](Random(f"{name}/{seed}/{number}"), work), None
    except Exception as error:  # of the fuzzer itself, or a reader that was asked for what it had accepted
        again = f"python -m tests.fuzz --target {name} --seed {seed} --case {number}"
        return False, Failure(name, again, str(error) if isinstance(error, BrokenError) else repr(error))
    finally:
        os.chdir(before)
        shutil.rmtree(work, ignore_errors=True)


def cases(count: int) -> Iterator[tuple[str, int]]:
    """``count`` cases, of each target as many as its weight says, in turn."""
    turn = [name for name, (weight, _) in TARGETS.items() for _ in range(weight)]
    Random(0).shuffle(turn)
    numbers: collections.Counter[str] = collections.Counter()
    for k in range(count):
        name = turn[k % len(turn)]
        yield name, numbers[name]
        numbers[name] += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Every reader against mutated input.")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=list(TARGETS), help="this one alone")
    parser.add_argument("--case", type=int, help="this one alone")
    given = parser.parse_args()
    if given.case is not None:
        wanted = [(given.target, given.case)]
    elif given.target:
        wanted = [(given.target, k) for k in range(given.count)]
    else:
        wanted = list(cases(given.count))
    began, said = time.monotonic(), collections.Counter[tuple[str, bool]]()
    failures: list[Failure] = []
    for name, number in wanted:
        refused, failure = one(name, given.seed, number)
        said[name, refused] += 1
        if failure:
            failures.append(failure)
            print(f"{failure.command}\n  {failure.why}\n", flush=True)
    for name in sorted({name for name, _ in said}):
        print(f"{name:14} accepted {said[name, False]:6,}  refused {said[name, True]:6,}")
    print(f"{len(wanted):,} inputs in {time.monotonic() - began:.0f} s, seed {given.seed}: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
