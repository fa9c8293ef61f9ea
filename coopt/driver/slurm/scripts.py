"""What would be submitted, for ``--dry-run``: submitit writes the scripts, also where there is no SLURM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import submitit

from coopt.driver.slurm.batches import Batches
from coopt.driver.slurm.executors import slurm_executor
from coopt.driver.slurm.share import Job, Weigh, ranks_of, shared
from coopt.driver.tasks.task import Task, is_done
from coopt.runs.run import Run

_TOKEN = "TOKEN"  # six hexadecimal digits, new for each submission


class Submission(NamedTuple):
    """One call of sbatch: an array of jobs, or one job."""

    name: str
    jobs: tuple[Job, ...]
    ranks: int
    script: str

    @property
    def tasks(self) -> list[Task]:
        return [task for job in self.jobs for task in job]


class Kind(NamedTuple):
    """Submissions whose scripts ask for the same; only names and the sizes of arrays differ."""

    submissions: tuple[Submission, ...]

    @property
    def jobs(self) -> int:
        return sum(len(s.jobs) for s in self.submissions)

    @property
    def tasks(self) -> int:
        return sum(len(s.tasks) for s in self.submissions)

    @property
    def ranks(self) -> int:
        return self.submissions[0].ranks

    @property
    def work(self) -> list[str]:
        """Rows of the plan that it is for."""
        return list(dict.fromkeys(t.what for s in self.submissions for t in s.tasks))

    @property
    def arrays(self) -> list[int]:
        """How many jobs an array has: every size once."""
        return sorted({len(s.jobs) for s in self.submissions})


class _Written(submitit.SlurmExecutor):
    """Of which only the script is wanted: srun need not be here."""

    @classmethod
    def affinity(cls) -> int:
        return 1

    def script(self, jobs: int) -> str:
        """What sbatch would be given for so many jobs."""
        if jobs > 1:
            self.parameters["map_count"] = jobs
        text: str = self._make_submission_file_text(self._submitit_command_str, "")
        return text


def kinds_of(run: Run, lists: Iterator[Sequence[Task]], workers: int, weigh: Weigh) -> list[Kind]:
    """What a run submits for its lists of tasks (of which some may be done), by kind, the first submission first.
    ``weigh``: expected seconds, by which tasks share jobs."""
    found: dict[int, list[Submission]] = {}
    for tasks in lists:
        jobs = shared([t for t in tasks if not is_done(t, run)], run.config, workers, weigh)
        for ranks, group in groupby(jobs, key=lambda job: ranks_of(job[0], run.config)):
            found.setdefault(ranks, []).append(_submission(run, tuple(group), ranks))
    return [Kind(tuple(submissions)) for submissions in found.values()]


def _submission(run: Run, jobs: tuple[Job, ...], ranks: int) -> Submission:
    directory = run.directory.resolve()
    name = Batches(directory).name([task.label() for job in jobs for task in job], 1, _TOKEN)
    executor = slurm_executor(run.config.cluster, directory / "jobs" / "logs", name, ranks, _Written)
    return Submission(name, jobs, ranks, executor.script(len(jobs)))
