"""The command line as a subprocess, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Coopt = Callable[..., subprocess.CompletedProcess[str]]
SMOKE = ("bench", "--smoke")
# Fields of results.json that depend on the clock or the machine, not on the run.
TIMED = ("costs", "run")


@pytest.fixture
def coopt(tmp_path: Path) -> Coopt:
    """Run ``coopt ARGS`` in an empty folder, in a process group of its own."""

    def run(*arguments: str, timeout: float = 400, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "coopt", *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            start_new_session=True,
            check=False,
        )

    return run


def tables(directory: Path, without: Sequence[str] = TIMED) -> dict[str, Any]:
    """A run's results without what the clock decides."""
    results = json.loads((directory / "results.json").read_text())
    return {k: v for k, v in results.items() if k not in without}


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished smoke run, two workers."""
    folder = tmp_path_factory.mktemp("smoke")
    done = subprocess.run(
        [sys.executable, "-m", "coopt", *SMOKE, "--out", "run", "--workers", "2", "--set", "gate.kind=always"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder / "run"
