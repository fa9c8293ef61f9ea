"""Initial students that benches share: what is made from the same is made once (paper D.1: three specialists stand in
three pairs, so that "the chemistry student" is one start).

They lie in ``model.specialists``, a folder each, under the hash of all that they are made from.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coopt.core import seals, store
from coopt.core.errors import DamagedError
from coopt.methods.students import recipe
from coopt.runs.run import Run


def make_or_take(run: Run, seed: int, student: str, target: Path, make: Callable[[Path], None]) -> None:
    """Leave at ``target`` the model directory of an initial student. ``make`` writes it where it is told to."""
    origin = recipe(run.config, run.cast, run.domains, seed, student) if run.config.model.specialists else None
    if origin is None:  # not to be shared, or nothing is trained
        make(target)
        return
    text = json.dumps(origin, sort_keys=True)
    kept = Path(run.config.model.specialists) / hashlib.sha256(text.encode()).hexdigest()[:16]
    with _alone(kept.with_suffix(".lock")):
        if not _is_whole(kept):
            with store.new_directory(kept) as temporary:
                make(temporary / "model")
                store.write_json(temporary / "recipe.json", origin)
    # No copy of the weights where the file system can do without: files of a run are replaced, never written into.
    shutil.copytree(kept / "model", target, copy_function=_link)


def _is_whole(kept: Path) -> bool:
    """A run's link to a kept file is the file itself: damage to the one is damage to the other."""
    try:
        seals.check(kept)
    except DamagedError:
        return False
    return store.is_complete(kept)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Others that want the same specialist wait, and then take it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)
