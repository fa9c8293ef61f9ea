"""Is a run the same? What the code here makes itself, and what it does with the folder that BASE made: it must read the
same out of it, and find nothing left to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

from benchmarks.same.compare import Difference, compare_folders, files
from benchmarks.same.perform import MADE, SAID, Checkout, copy
from benchmarks.same.runs import Run

_GROWS = ("journal.jsonl", "run.lock")
"""What a bench with nothing to do adds to: that it was here."""
_REPEATS = ("config.json", "results.json", "plan.json")
"""What it writes again; of settings and results the content has to be the same."""


def made_alike(base: Path, new: Path) -> list[Difference]:
    """What two runs made from nothing, without what was read out of BASE's afterwards."""
    return compare_folders(base, new, {*(base / MADE).read_text().splitlines(), *files(new)} - {MADE})


def read_again(run: Run, new: Checkout, base: Path, folder: Path) -> list[Difference]:
    """A copy of BASE's folder at ``folder``, read by the new code. As both read the same files, seconds and all, every
    byte has to be the same."""
    copy(base, folder)
    new.perform(run.reads, folder)
    return [d._replace(file=f"of BASE's run: {d.file}") for d in compare_folders(base, folder, exact=True)]


def resume(run: Run, new: Checkout, folder: Path) -> list[Difference]:
    """The first bench that is not to be killed, again in BASE's finished folder: nothing is made or made again, and the
    results are the same, costs among them."""
    benches = [c for c in run.makes if not c.kill_at][:1]
    before, kept = _state(folder), _repeated(folder)
    new.perform(benches, folder, "resumed")
    changed = [name for name, data in _repeated(folder).items() if data != kept.get(name)]
    after = {k: v for k, v in _state(folder).items() if not k.startswith("resumed/")}
    found = [
        Difference(f"resumed: {name}", "the file", "as BASE left it", _what(name, before, after))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    found += [Difference(f"resumed: {name}", "the content", "as BASE left it", "other") for name in changed]
    for command in benches:
        said = [(folder / place / command.said).read_text() for place in (SAID, "resumed")]
        if command.said.endswith(".json") and json.loads(said[0]) != json.loads(said[1]):
            found.append(Difference(f"resumed: {command.said}", "the results", "as BASE printed them", "others"))
    return found


def _state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file that a bench with nothing to do leaves alone: written anew, it would be another file."""
    paths = [p for p in folder.rglob("*") if p.is_file() and p.name not in (*_GROWS, *_REPEATS)]
    return {p.relative_to(folder).as_posix(): (os.stat(p).st_ino, os.stat(p).st_mtime_ns) for p in paths}


def _repeated(folder: Path) -> dict[str, bytes]:
    """The files beside ``seeds`` that hold a run's settings and results."""
    found = [p for name in ("config.json", "results.json") for p in folder.rglob(name) if (p.parent / "seeds").is_dir()]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def _what(name: str, before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> str:
    return "new" if name not in before else "gone" if name not in after else "written anew"
