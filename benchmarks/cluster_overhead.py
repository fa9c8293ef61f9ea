"""What a cluster adds to every task of a finished run: seconds from submission to start, and from output to seen.

    python benchmarks/cluster_overhead.py runs/NAME

Start is when the job took its lease (Python and submitit are imported by then, torch is not); the output's time is that
of its file, so it needs one clock for all machines.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from coopt.cluster.jobs import leases, submitted
from coopt.cluster.lease import newest
from coopt.running import store


def main(run: Path) -> None:
    seen = {line["task"]: line["time"] for line in store.read_lines(run / "jobs/seen.jsonl")}
    starts, ends = [], []
    for job in submitted(run):
        _, holder = newest(leases(run, job.task))
        if holder is None or holder.id != job.id or job.task not in seen:
            continue
        whole = job.output / store.COMPLETE if job.output.is_dir() else job.output
        starts.append(holder.time - job.submitted)
        ends.append(seen[job.task] - whole.stat().st_mtime)
    if not starts:
        sys.exit(f"{run}: no task of this run was performed as a job.")
    for what, seconds in (("submitted to started", starts), ("output to seen", ends)):
        print(
            f"{what}: median {statistics.median(seconds):.2f} s, from {min(seconds):.2f} to {max(seconds):.2f} s"
            f" ({len(seconds)} tasks)"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
