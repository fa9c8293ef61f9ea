"""Both sides of every run, side by side, and what came of them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from benchmarks.same.again import made_alike, read_again, resume
from benchmarks.same.compare import Difference
from benchmarks.same.perform import Checkout, CommandError, end_all
from benchmarks.same.runs import Run


class Sides(NamedTuple):
    """The two checkouts, and where their runs lie."""

    base: Checkout
    new: Checkout
    folder: Path

    def base_folder(self, run: Run) -> Path:
        """Named by what the run is, too: a changed one is made anew, the others stay."""
        return self.folder / "base" / f"{run.name}-{hashlib.sha256(repr(run).encode()).hexdigest()[:8]}"

    def new_folder(self, run: Run) -> Path:
        return self.folder / "new" / run.name


class Found(NamedTuple):
    """What came of a run, or of a part of one: seconds of each part, and what differs or went wrong."""

    seconds: dict[str, float]
    differences: list[Difference]
    failure: str = ""

    def and_also(self, other: Found) -> Found:
        failures = [f for f in (self.failure, other.failure) if f]
        return Found(self.seconds | other.seconds, self.differences + other.differences, "; ".join(failures))


def perform_all(runs: Sequence[Run], sides: Sides, jobs: int, tell: Callable[[str, Found], None]) -> dict[str, Found]:
    """Every run; ``tell`` hears of each as soon as it is known. At most ``jobs`` commands are under way at once."""
    found: dict[str, Found] = {}
    with ThreadPoolExecutor(jobs) as pool:
        parts = [(r, (pool.submit(_of_base, r, sides), pool.submit(_of_new, r, sides))) for r in runs]
        try:
            while len(found) < len(runs):
                for run, pair in parts:
                    if run.name not in found and all(part.done() for part in pair):
                        found[run.name] = _together(run, sides, *pair)
                        tell(run.name, found[run.name])
                # Not without end: a thread that waits so may not hear a signal.
                wait([p for run, pair in parts if run.name not in found for p in pair], timeout=0.5)
        except BaseException:  # Ctrl-C among them: nothing goes on in secret
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    return found


def _of_base(run: Run, sides: Sides) -> Found:
    """BASE makes a run and reads it, if that is not kept; then the new code reads it, and goes on in it."""
    folder, began = sides.base_folder(run), time.monotonic()
    if not folder.is_dir():
        part = folder.with_name(f"{folder.name}.part")
        try:
            sides.base.make(run, part)
            sides.base.perform(run.reads, part)
        except CommandError as error:
            return Found({}, [], f"BASE's code failed: {error}")
        part.rename(folder)
    made = Found({"base": time.monotonic() - began}, [])
    return made.and_also(_again(run, sides)) if run.reads or run.resumes else made


def _again(run: Run, sides: Sides) -> Found:
    began, folder = time.monotonic(), sides.folder / "again" / run.name
    try:
        differences = read_again(run, sides.new, sides.base_folder(run), folder)
        if run.resumes:
            differences += resume(run, sides.new, folder)
    except CommandError as error:
        return Found({}, [], f"the code here failed on what BASE made: {error}")
    return Found({"again": time.monotonic() - began}, differences)


def _of_new(run: Run, sides: Sides) -> Found:
    began = time.monotonic()
    try:
        sides.new.make(run, sides.new_folder(run))
    except CommandError as error:
        return Found({}, [], f"the code here failed: {error}")
    return Found({"new": time.monotonic() - began}, [])


def _together(run: Run, sides: Sides, base: Future[Found], new: Future[Found]) -> Found:
    found = base.result().and_also(new.result())
    both = {"base", "new"} <= found.seconds.keys()
    return found.and_also(Found({}, made_alike(sides.base_folder(run), sides.new_folder(run)))) if both else found
