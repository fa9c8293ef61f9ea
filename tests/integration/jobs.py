"""What tests do to the jobs of a bench: wait for a step, freeze one, ask SLURM."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from coopt.core import store
from coopt.driver.slurm.jobs import leases
from coopt.driver.slurm.lease import Holder, newest


def without_training(finished: Path, run: Path) -> Path:
    """A copy of a run without its training and what came after it."""
    shutil.copytree(finished / "seeds", run / "seeds", ignore=shutil.ignore_patterns("opcod", "sdpo"))
    for name in ("config.json", "provenance.json"):
        shutil.copy(finished / name, run / name)
    return run


def start(*command: str, at: Path) -> subprocess.Popen[bytes]:
    """``coopt COMMAND`` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "coopt", *command],
        cwd=at, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def shell(*command: str, at: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=at, capture_output=True, text=True, timeout=1200, check=False)


def wait_until(true: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.2)


def when_at_step(run: Path, task: str, step: int) -> Holder:
    """The job of a tutee, as soon as it has done so many steps."""
    _, seed, method, _, round_, tutee = task.split()
    steps = run / f"seeds/{seed}/{method}/r{round_}/{tutee}.steps.jsonl"
    wait_until(lambda: len(store.read_lines(steps)) >= step)
    holder = newest(leases(run, task))[1]
    assert holder is not None
    return holder


@contextmanager
def frozen(holder: Holder) -> Iterator[Holder]:
    """Stop a job's process, so that what happens to the job happens in the middle of its phase. SLURM wakes those that
    it warns."""
    process = process_of(holder)
    process.suspend()
    try:
        yield holder
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


def process_of(holder: Holder) -> psutil.Process:
    """The holder's process, and no other that has its number by now: psutil looks at when it began before each
    signal."""
    process = psutil.Process(holder.pid)
    assert abs(process.create_time() - holder.born) < 1
    return process


def released(id_: str) -> str:
    """What SLURM says of a job; a requeued one is spared the two minutes that it would wait."""
    shown = shell("scontrol", "show", "job", id_).stdout
    if "Reason=BeginTime" in shown:
        shell("scontrol", "update", f"jobid={id_}", "starttime=now")
    return shown
