"""Kill the process group with SIGKILL, run the same command again: the tables are those of an undisturbed run."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.conftest import SMOKE, Coopt, run_coopt, tables
from tests.integration.jobs import wait_until

pytestmark = pytest.mark.slow
COMMAND = (*SMOKE, "--out", "run", "--workers", "2", "--set", "gate.kind=always")


@pytest.fixture
def specialists(smoke_run: Path, tmp_path: Path) -> None:
    """Begin with the smoke run's specialists done: their making is killed in a test of its own."""
    for part in ("config.json", "provenance.json", "seeds/0/init/s1", "seeds/0/init/s2"):
        source, target = smoke_run / part, tmp_path / "run" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


@pytest.mark.usefixtures("specialists")
def test_mishaps_one_after_another(coopt: Coopt, smoke_run: Path, tmp_path: Path) -> None:
    """Killed at every named point, out of room, a checkpoint torn: each command goes on from what the one before left,
    so what any of them breaks is in the tables at the end. Points count anew in every process."""
    _killed(coopt, "scoring:3")
    _killed(coopt, "between_gate_and_phase:1")
    _out_of_room(tmp_path)
    _killed(coopt, "step:2", "--workers", "1")
    (checkpoint,) = (tmp_path / "run/seeds/0/sdpo/r1").glob("*.checkpoints/step_1/state.safetensors")
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    for point in ("step:1", "checkpoint_write:1", "step:2", "checkpoint_write:3", "between_gate_and_phase:4"):
        _killed(coopt, point)
    assert not (tmp_path / "run/results.json").exists()
    again = coopt(*COMMAND)
    assert again.returncode == 0, again.stderr
    assert tables(tmp_path / "run") == tables(smoke_run)


def _killed(coopt: Coopt, point: str, *arguments: str) -> None:
    killed = coopt(*COMMAND, *arguments, COOPT_KILL_AT=point)
    assert killed.returncode == -signal.SIGKILL, (point, killed.stderr)


def _out_of_room(tmp_path: Path) -> None:
    """A limit on file size stands for a full disk: no student's weights can be written. It is one line."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
        f"from coopt.cli.main import main; sys.argv = ['coopt', *{COMMAND!r}]; main()"
    )
    full = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False
    )
    assert full.returncode in (1, 2), full.stderr
    assert "Traceback" not in full.stderr
    assert "run the same command again" in full.stderr


@pytest.mark.parametrize("attempt", range(2))
def test_killed_at_random_moments(smoke_run: Path, tmp_path: Path, attempt: int) -> None:
    """Up to four kills in one run, anywhere, specialists included."""
    rng = random.Random(attempt)
    for _ in range(4):
        with suppress(subprocess.TimeoutExpired):  # its process group is killed
            run_coopt(*COMMAND, at=tmp_path, timeout=rng.uniform(0.3, 5))
    again = run_coopt(*COMMAND, at=tmp_path)
    assert again.returncode == 0, again.stderr
    assert tables(tmp_path / "run") == tables(smoke_run)
    leftovers = [p.name for p in (tmp_path / "run").rglob("*.tmp") if p.is_dir()]
    assert leftovers == []


@pytest.mark.usefixtures("specialists")
def test_other_settings_in_the_same_folder_are_refused(coopt: Coopt) -> None:
    done = coopt(*COMMAND, "--set", "optimizer.lr=1e-3")
    assert done.returncode == 2
    assert "holds a run with other settings (optimizer.lr was 0.0003, is 0.001)" in done.stderr
    assert "Give another --out" in done.stderr


@pytest.mark.usefixtures("specialists")
def test_two_at_once_are_refused(coopt: Coopt, tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "run/run.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = coopt(*COMMAND)
    assert done.returncode == 2
    assert "another coopt bench is working on this run" in done.stderr


@pytest.mark.usefixtures("specialists")
def test_workers_end_with_their_driver(tmp_path: Path) -> None:
    """Only the driver is killed; its workers must not train on in secret."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coopt", *COMMAND],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    begun = tmp_path / "run/progress"
    wait_until(lambda: process.poll() is not None or any(begun.glob("*")), 300)  # by a worker
    assert process.poll() is None
    process.kill()
    process.wait()
    wait_until(lambda: not _alive(process.pid), 5)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
