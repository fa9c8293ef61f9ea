"""The main job from Python: a script, or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.outside.files import UnreadableError, read_text
from coopt.runs.provenance import FROM_PYTHON
from coopt.runs.results import Results


def bench(config: Config, out: str | Path | None = None, workers: int | None = None, *, trust: bool = False) -> Results:
    """Run (or resume) a bench in ``out`` (default ``runs/NAME``) and return its results; which methods the method
    ``all`` became is in them. ``workers``: processes, by default by cores and students. ``trust``: gates that are
    files outside the working folder are imported; without it they are refused. Raises ``CooptError``.

    A script needs no ``if __name__ == "__main__":`` for it; one that has it is imported by the workers, so that
    methods defined in it are there.
    """
    from rich.console import Console

    from coopt.driver.bench import finished, plainly, ready
    from coopt.graph.gates.code import trusting

    directory = Path(out) if out is not None else None
    done = finished(config, directory)
    if done:
        return done[1]
    with _not_imported_again(), trusting(trust):
        made = ready(config, directory, workers)
        with made.alone():
            console = Console(stderr=True)
            _, results = made.carry_out(made.plan(say=plainly(console)), [FROM_PYTHON], console)
    return results


@contextmanager
def _not_imported_again() -> Iterator[None]:
    """Processes that multiprocessing starts import the script that started them, by its ``__file__``. One without a
    guard would begin the bench again in each of them: to it the script is shown as if it were typed in."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or getattr(main, "__spec__", None) is not None or _has_guard(Path(file)):
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


def _has_guard(script: Path) -> bool:
    try:
        return "__name__" in read_text(script)
    except (FileNotFoundError, UnreadableError):
        return True
