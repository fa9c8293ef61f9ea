"""The main job from Python."""

from __future__ import annotations

from pathlib import Path

from coopt.core.config.schema import Config
from coopt.runs.results import Results


def bench(config: Config, out: str | Path | None = None, workers: int | None = None) -> Results:
    """Run (or resume) a bench in ``out`` (default ``runs/NAME``) and return its results; which methods the method
    ``all`` became is in them. ``workers``: processes, by default by cores and students.

    Workers are spawned processes: call it under ``if __name__ == "__main__":``. Raises ``CooptError``.
    """
    from rich.console import Console

    from coopt.driver.bench import ready

    made = ready(config, Path(out) if out is not None else None, workers)
    _, results = made.carry_out(made.plan(), ["coopt.bench"], Console(stderr=True))
    return results
