"""Tasks without models, and a cluster of stand-ins, for tests of what submits and performs them."""

from __future__ import annotations

import errno
import io
import os
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from coopt.core import store
from coopt.core.blame import blame
from coopt.core.config.load import load_config
from coopt.core.errors import DamagedError, KilledError, ModelError
from coopt.driver.slurm.choose import make_launcher
from coopt.driver.slurm.launcher import SubmititLauncher
from coopt.driver.tasks import perform
from coopt.driver.tasks.progress import Display
from coopt.driver.tasks.task import Task
from coopt.runs.run import Run


@dataclass(frozen=True)
class Mark:
    """A task that fails ``failures`` times before it leaves its output, in the way that is asked for."""

    name: str
    failures: int = 0
    how: str = "raise"

    def output(self, run: Run) -> Path:
        return run.directory / "marks" / self.name

    def label(self) -> str:
        return f"mark {self.name}"

    def __reduce__(self) -> Any:
        """Another process that reads a mark performs marks too."""
        return _read_mark, (self.name, self.failures, self.how)

    def leave(self, run: Run) -> None:
        tries = run.directory / f"{self.name}.tries"
        store.append_lines(tries, ["try"])
        if len(store.read_lines(tries)) > self.failures:
            store.write_text(self.output(run), "done")
        elif self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "damaged":
            raise DamagedError("weights: are not what was written. Mend them.", run.directory / "weights")
        elif self.how == "killed":
            raise KilledError("vllm was killed by SIGKILL.")
        elif self.how == "full":
            raise OSError(errno.ENOSPC, "No space left on device", str(self.output(run)))
        elif self.how == "final":
            raise ModelError("no such model.")
        else:
            with blame("tutor s2"):
                raise OSError("torn weights")

    def tries(self, run: Run) -> int:
        return len(store.read_lines(run.directory / f"{self.name}.tries"))


_perform = perform.perform


def perform_marks(task: Task | Mark, run: Run, meter: Path | None) -> None:
    """Marks beside the tasks of a run."""
    if isinstance(task, Mark):
        task.leave(run)
    else:
        _perform(task, run, meter)


def _read_mark(name: str, failures: int, how: str) -> Mark:
    perform.perform = perform_marks  # type: ignore[assignment]
    return Mark(name, failures, how)


def new_run(directory: Path, *settings: str) -> Run:
    run = Run(directory, load_config(settings=["cluster.poll_seconds=0.5", *settings]))
    store.write_json(directory / "config.json", run.config.model_dump(mode="json"))
    return run


def new_launcher(run: Run) -> SubmititLauncher:
    made = make_launcher(run, 2, Display(Console(file=io.StringIO()), 1.0, lambda task: 1.0))
    assert isinstance(made, SubmititLauncher)
    return made


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
