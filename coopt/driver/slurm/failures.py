"""What the end of a job without an output means: whose try it was, and what the user reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coopt.core.outside.files import read_end
from coopt.driver.slurm.jobs import Job, error_of, has_begun
from coopt.driver.slurm.queue import UNKNOWN

_LAST_LINES = 12


def was_a_try(directory: Path, job: Job) -> bool:
    """Whether the end of a job was a try of this task, which it has left undone.

    Of those that the job held, it was a try of those that said how they failed; else, as when it was killed, of those
    that it had begun; else of all: a job that cannot even begin must not be submitted for ever.
    """
    told = [task for task in job.tasks if error_of(directory, task, job.id)]
    return job.task in (told or [task for task in job.tasks if has_begun(directory, task, job)] or job.tasks)


def last_words(job: Job, error: Mapping[str, Any] | None, failures: int) -> str:
    """What the user reads when a task cannot be performed: what failed, whose fault, its last lines, what goes on."""
    end = {"OUT_OF_MEMORY": "ran out of memory (cluster.memory_gb)", "TIMEOUT": "ran out of time (cluster.minutes)",
           "CANCELLED": "was cancelled", UNKNOWN: "is no longer in the queue"}.get(job.state, "failed")  # fmt: skip
    times = f", {failures} times" if failures > 1 and job.state != "CANCELLED" else ""
    said = f": {str(error['error']).rstrip('.')}" if error else ""
    fault = f" At fault: {error['fault']}." if error and error["fault"] else ""
    words = f"{job.task}: job {job.id} {end}{times}{said}.{fault}"
    lines = read_end(job.log).splitlines()[-_LAST_LINES:]
    if lines and not (error and error["final"]):
        words += f" The last lines of {job.log}:\n" + "".join(f"  {line}\n" for line in lines)
    else:
        words += f" Log: {job.log}. "
    return words + (
        "Nothing finished is lost and other jobs go on: run the same command again, or coopt cancel the run."
    )
