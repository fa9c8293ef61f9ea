"""What a cluster adds to every task of a run, against a bare submitit job on the same cluster.

The cluster is a real SLURM on this machine (slurm/dev-cluster; Debian, root), which is started and ended here. What was
added to the tasks of a run that a cluster near you has finished:

    python -m benchmarks.perf.slurm runs/NAME
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from submitit import SlurmExecutor

from benchmarks.perf.ratio import Ratio
from coopt.core import seals, store
from coopt.core.config.load import load_config
from coopt.driver.slurm.jobs import leases, submitted
from coopt.driver.slurm.lease import newest

ROOT = Path(__file__).parents[2]
LIMIT = 5.0


class Added(NamedTuple):
    """Seconds of a job beside its work: from submission to start, from the end of its work to its being seen."""

    start: float
    end: float


def measure(pairs: int) -> list[Ratio]:
    with dev_cluster() as folder:
        bench = ["bench", "--smoke", "--topology", "solo", "--method", "sdpo", "--profile", "dev"]
        bench += ["--set", "cluster.tasks_per_job=1"]
        command = [sys.executable, "-m", "coopt", *bench, "--out", str(folder / "run")]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        ours = added(folder / "run")
        bare = [bare_job(folder / "bare") for _ in range(pairs)]
    sums = [sum(a) for a in ours]
    start, end = (statistics.median(side) for side in zip(*ours, strict=True))
    typical = statistics.quantiles(sums, n=pairs + 1)
    return [
        Ratio(
            name="slurm/task",
            what="what SLURM adds to a task, beyond its model's load",
            against="limit: 5 s",
            unit="s",
            pairs=[(s, LIMIT) for s in sums],
            at_most=1.0,
            notes=[f"{len(sums)} tasks; to start {start:.1f} s, to be seen {end:.1f} s (medians)"],
        ),
        Ratio(
            name="slurm/bare",
            what="the same, quantiles over tasks",
            against="a bare submitit job",
            unit="s",
            pairs=list(zip(typical, sorted(sum(b) for b in bare), strict=True)),
        ),
    ]


@contextmanager
def dev_cluster() -> Iterator[Path]:
    """A SLURM of its own, and a folder that its nodes see."""
    folder = Path(tempfile.mkdtemp(prefix="coopt-perf-slurm-"))
    folder.chmod(0o755)  # munge refuses a private one
    os.environ |= {"COOPT_SLURM_ROOT": str(folder / "slurm"), "COOPT_SLURM_PORT": "29817", "PYTHONPATH": str(ROOT)}
    script = ROOT / "slurm/dev-cluster"
    done = subprocess.run([script, "start"], stdout=subprocess.PIPE, text=True, check=True)
    os.environ["SLURM_CONF"] = done.stdout.strip().rpartition("=")[2]
    try:
        yield folder
    finally:
        subprocess.run([script, "stop"], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def bare_job(folder: Path) -> Added:
    """A job that tells the time, on the same partition with the same sizes."""
    profile = load_config(profile="dev").cluster
    executor = SlurmExecutor(folder)
    executor.update_parameters(
        partition=profile.partition,
        time=profile.minutes,
        cpus_per_task=profile.cpus,
        mem=f"{round(1024 * profile.memory_gb)}M",
    )
    begin = time.time()
    job = executor.submit(time.time)
    started = job.result()
    return Added(started - begin, time.time() - started)


def added(run: Path) -> list[Added]:
    """Of every task that a job performed by itself. A job's start is when it took its lease (Python and submitit are
    imported by then, torch is not), the end of its work the time of its file: it needs one clock for all machines."""
    seen = {line["task"]: line["time"] for line in store.read_lines(run / "jobs/seen.jsonl")}
    found = []
    for job in submitted(run):
        _, holder = newest(leases(run, job.task))
        if len(job.tasks) > 1 or holder is None or holder.id != job.id or job.task not in seen:
            continue
        whole = job.output / seals.COMPLETE if job.output.is_dir() else job.output
        found.append(Added(holder.time - job.submitted, seen[job.task] - whole.stat().st_mtime))
    return found


def main(run: Path) -> None:
    found = added(run)
    if not found:
        sys.exit(f"{run}: no task of this run was performed as a job of its own (cluster.tasks_per_job=1).")
    for what, seconds in zip(("submitted to started", "output to seen"), zip(*found, strict=True), strict=True):
        print(f"{what}: median {statistics.median(seconds):.2f} s, from {min(seconds):.2f} to {max(seconds):.2f} s"
              f" ({len(found)} tasks)")  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
