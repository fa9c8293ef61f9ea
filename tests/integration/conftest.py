"""The command line as a subprocess, as a user runs it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coopt.core import store
from coopt.core.config.schema import Config

Coopt = Callable[..., subprocess.CompletedProcess[str]]
SMOKE = ("bench", "--smoke")
# Fields of results.json that depend on the clock or the machine, not on the run.
TIMED = ("costs", "run")


def run_coopt(
    *arguments: str, at: Path, timeout: float = 400, specialists: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``coopt ARGS`` in the folder ``at``, in a process group of its own. ``specialists``: what smoke runs make of them
    is kept there for the next; it changes no result."""
    if specialists and arguments[:1] == ("bench",) and "--smoke" in arguments:
        arguments = (*arguments, "--set", f"model.specialists='{specialists}'")
    return subprocess.run(
        [sys.executable, "-m", "coopt", *arguments],
        cwd=at,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        start_new_session=True,
        check=False,
    )


def of_all_processes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the processes of pytest-xdist share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def coopt(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Coopt:
    """Run ``coopt ARGS`` in an empty folder."""
    return partial(run_coopt, at=tmp_path, specialists=of_all_processes(tmp_path_factory) / "specialists")


def tables(directory: Path, without: Sequence[str] = TIMED) -> dict[str, Any]:
    """A run's results without what the clock decides."""
    results = json.loads((directory / "results.json").read_text())
    return {k: v for k, v in results.items() if k not in without}


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished smoke run, two workers. The processes of pytest-xdist share it."""
    folder = of_all_processes(tmp_path_factory) / "smoke"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "stdout").is_file():
            done = run_coopt(*SMOKE, "--out", "run", "--workers", "2", "--all", "--set", "gate.kind=always", at=folder)
            assert done.returncode == 0, done.stderr
            (folder / "stdout").write_text(done.stdout)
    return folder / "run"


def begin(run: Path, smoke_run: Path, config: Config) -> None:
    """A run whose specialists, taken from the smoke run, are all that is done."""
    store.write_json(run / "config.json", config.model_dump(mode="json"))
    shutil.copy(smoke_run / "provenance.json", run)
    shutil.copytree(smoke_run / "seeds/0/init", run / "seeds/0/init")
