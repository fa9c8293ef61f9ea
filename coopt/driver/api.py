"""The main job from Python: run a bench, read its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from coopt.core.config.schema import Config
from coopt.core.errors import RunError
from coopt.runs.measures.results import Results


def bench(config: Config, out: str | Path | None = None, workers: int = 1) -> Results:
    """Run (or resume) a bench in ``out`` (default ``runs/NAME``) and return its results; which methods the method
    ``all`` became is in them.

    Workers are spawned processes: call it under ``if __name__ == "__main__":``. Raises ``CooptError``.
    """
    from rich.console import Console

    from coopt.driver.checks import check_run
    from coopt.driver.every_method import with_every_method
    from coopt.driver.main_job import default_name, locked, prepare, run_bench
    from coopt.driver.plan.choose import make_plan
    from coopt.driver.slurm.choose import make_launcher
    from coopt.driver.tasks.progress import Display
    from coopt.runs.run import Run

    config, _ = with_every_method(config)
    check_run(config)
    directory = Path(out) if out is not None else Path("runs") / default_name(config)
    plan = make_plan(Run(directory, config), workers)
    with locked(directory):
        run = prepare(config, directory, ["coopt.bench"])
        plan = replace(plan, run=run)
        plan.save()
        total = plan.worker_seconds()
        with (
            Display(Console(stderr=True), total, plan.seconds) as display,
            make_launcher(run, workers, display) as launch,
        ):
            return run_bench(run, launch)


def read_results(directory: str | Path) -> Results:
    """The results of a finished run. Raises ``RunError``."""
    path = Path(directory) / "results.json"
    if not (path.parent / "config.json").is_file():
        raise RunError(
            f"{directory}: no run here (config.json is missing). Runs are the folders that coopt bench names."
        )
    if not path.is_file():
        raise RunError(f"{directory}: the run has not finished. Run its coopt bench command again to resume it.")
    return Results.model_validate_json(path.read_text(encoding="utf-8"))
