"""Whether what a task left is still what it wrote, and how it is taken away where it is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from coopt.core import seals, store
from coopt.core.errors import DamagedError
from coopt.core.outside.files import UnreadableError
from coopt.core.outside.tables import tensors_of
from coopt.core.phase_files import PhaseFiles
from coopt.core.seals import Fault, Reading, Seal
from coopt.driver.tasks.inputs import is_stale
from coopt.driver.tasks.task import BreakRate, Score, Task, Train, beside, is_done
from coopt.runs.run import Run

Word = Literal["whole", "not sealed", "missing", "damaged", "outdated"]
"""``not sealed``: made by an earlier coopt, or without its seal; ``outdated``: made from something else than what lies
there now."""


class Found(NamedTuple):
    """What became of a task's output. ``faults``: what is wrong with it; ``removed``: names of files that somebody took
    away and nobody needs; ``files``, ``size``: how much was sealed."""

    word: Word
    faults: tuple[Fault, ...] = ()
    removed: tuple[str, ...] = ()
    files: int = 0
    size: int = 0


def look(task: Task, run: Run, reading: Reading = "quick", *, fresh: bool = True) -> Found:
    """What became of a task's output. ``fresh``: says also whether it is outdated."""
    output = task.output(run)
    if not is_done(task, run):
        return Found("missing")
    try:
        seal = seals.read_seal(output)
        if seal is None:
            wrong = tuple(_unreadable(task, run))
            return Found("damaged" if wrong else "not sealed", wrong)
    except DamagedError:
        name = seals.seal_path(output).relative_to(output.parent).as_posix()
        return Found("damaged", (Fault(name, "is the seal, and damaged itself"),))
    found = _sealed(task, run, output, seal, reading)
    if fresh and found.word == "whole":
        with suppress(DamagedError):  # of what it was made from, which is another task's
            return found._replace(word="outdated") if is_stale(task, run, seal) else found
    return found


def _sealed(task: Task, run: Run, output: Path, seal: Seal, reading: Reading) -> Found:
    faults = seals.faults(output, seal, reading=reading)
    removed = {f.name for f in faults if f.missing and _may_be_missing(f.name, task, run)}
    left = tuple(f for f in faults if f.name not in removed)
    size = sum(s.size for s in seal.files.values())
    return Found("damaged" if left else "whole", left, tuple(sorted(removed)), len(seal.files), size)


def _may_be_missing(name: str, task: Task, run: Run) -> bool:
    """Transcripts, and a folder of weights that is gone as a whole: whatever still needs it says so."""
    output = task.output(run)
    path = output.parent / name
    if isinstance(task, Train) and path in PhaseFiles(output).transcripts:
        return True
    if isinstance(task, BreakRate) and path in beside(task, run):
        return True
    inside = name.split("/")
    return len(inside) > 2 and not os.path.lexists(output / inside[1])


def _unreadable(task: Task, run: Run) -> Iterator[Fault]:
    """Files of an output without a seal that cannot be what was written."""
    output = task.output(run)
    if isinstance(task, (Score, BreakRate)):
        yield from _no_json(output, output.parent, "domains")
    for path in sorted(output.rglob("*.safetensors")):
        try:
            with tensors_of(path) as file:
                file.keys()
        except (UnreadableError, FileNotFoundError):
            yield Fault(path.relative_to(output.parent).as_posix(), "is torn")
    if (output / "state").is_dir():
        yield from _no_json(output / "state" / "step.json", output.parent, "step")
    for path in beside(task, run):
        try:
            store.read_lines(path)
        except DamagedError:
            yield Fault(path.name, "is torn, or not JSON")


def _no_json(path: Path, folder: Path, key: str) -> Iterator[Fault]:
    try:
        good = key in store.read_json(path)
    except (FileNotFoundError, DamagedError, TypeError):
        good = False
    if not good:
        yield Fault(path.relative_to(folder).as_posix(), "is torn, or not JSON")


def discard(task: Task, run: Run) -> None:
    """Take away what a task left, so that it is done again. Killed meanwhile, it is not done either."""
    output = task.output(run)
    if output.is_dir():
        seals.seal_path(output).unlink(missing_ok=True)
        shutil.rmtree(output)
    output.unlink(missing_ok=True)
    seals.sidecar(output).unlink(missing_ok=True)
    for path in beside(task, run):
        path.unlink(missing_ok=True)
    if isinstance(task, Train):
        shutil.rmtree(PhaseFiles(output).checkpoints, ignore_errors=True)
