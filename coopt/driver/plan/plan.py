"""What a run is going to do, and how long it should take: shown before anything long begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from coopt.core import store
from coopt.core.config.schema import Config
from coopt.core.config.ways import RATIONALES, way_of
from coopt.domains.base import Split
from coopt.driver.choices import Foreseen
from coopt.driver.plan.assumed import Assumed
from coopt.driver.plan.speed import REFERENCE, Speed
from coopt.driver.rounds import seed_tasks
from coopt.driver.slurm.share import shared
from coopt.driver.tasks.cards import cards_for, width_of
from coopt.driver.tasks.task import BreakRate, Score, Specialise, Task, Train, is_done
from coopt.runs.run import Run

_WARM_START = 8.0  # seconds until a worker has imported torch and transformers
_JOB_START = 10.0  # seconds until a job of a cluster has, with its packages on a shared file system
_SFT_STEP_TOKENS = 48 * 50  # tokens of one step of the embedded specialists' training


class StepTokens(NamedTuple):
    """Tokens of a step: written by the tutee and by its tutors, and read by the update."""

    rollouts: float
    feedback: float
    trained: float


@dataclass(frozen=True)
class Plan:
    """Tasks with the seconds that each should take."""

    run: Run
    speed: Speed
    workers: int
    questions: Mapping[Split, int] | None = None
    """Questions a split, of all domains together; None: counted in the run's data."""
    source: str = "measured just now with the base model"
    """Where the speeds come from."""
    assumed: Assumed | None = None
    """What is assumed, where the speeds are."""
    why: tuple[str, ...] = ()
    """Why they are: what is missing, or too large."""

    def lists(self) -> Iterator[list[Task]]:
        """Everything that the run will do, as far as that can be foreseen: lists of tasks, one after another."""
        journal = self.run.journal(mending=True)
        for seed in self.run.config.all_seeds:
            yield from seed_tasks(self.run, seed, Foreseen(self.run, seed, journal))

    def tasks(self) -> Iterator[tuple[str, Task]]:
        """(what it is for, task) of all of them."""
        for tasks in self.lists():
            yield from ((task.what, task) for task in tasks)

    def tokens(self, task: Task) -> float:
        """Tokens that a task generates, or trains on if it does not generate."""
        config = self._settings(task)
        samples = config.rounds.rollouts
        if isinstance(task, Score):
            return self._questions(task.split) * config.sampling.eval_samples * self.speed.response
        if isinstance(task, BreakRate):
            answers = 3 + 2 * len(task.tutors)
            questions = min(self._questions("validation"), config.break_rate.questions * len(config.domains))
            return questions * samples * answers * self.speed.response
        if isinstance(task, Train):
            step, rounds = self.step_tokens(task), config.rounds
            within = (rounds.steps - 1) // rounds.evaluate_every if rounds.evaluate_every else 0
            scored = within * self._questions("validation") * config.sampling.eval_samples * self.speed.response
            return rounds.steps * (step.rollouts + step.feedback) + scored
        if isinstance(task, Specialise) and way_of(config) == "own_correct":
            return config.specialise.questions * samples * self.speed.response
        return 0.0

    def step_tokens(self, task: Train) -> StepTokens:
        """Of one step."""
        config, method = self._settings(task), self.run.trained(task.method)
        rounds = config.rounds
        rollouts = method.responses(config, len(task.tutors))
        messages = method.messages(config, len(task.tutors))
        critique = 0.6 * config.sampling.max_feedback_tokens * self.speed.distinct * messages
        rows = rounds.prompts * max(1.0, rollouts * self.speed.distinct)
        # An open gate makes the teacher's prompts longer and leaves fewer rollouts without a target.
        read = rows * (self.speed.prompt + self.speed.response) * (1.3 if task.tutors else 1.0)
        written = rounds.prompts * rollouts
        return StepTokens(written * self.speed.response, written * critique, read)

    def seconds(self, task: Task) -> float:
        """Seconds that a task should take on one worker, without a job's start."""
        generating = self.tokens(task) / self.speed.generate
        if isinstance(task, Train):
            return generating + self._settings(task).rounds.steps * self.step_tokens(task).trained / self.speed.train
        if isinstance(task, Specialise):
            return generating + self._sft_tokens(task.student) / self.speed.train
        return generating

    def _jobs(self, tasks: Sequence[Task]) -> list[list[float]]:
        """The seconds of a list's tasks, by the job that performs them. A job starts Python anew, a worker is warm."""
        start = _JOB_START if self.run.config.cluster.kind in ("slurm", "local") else 0.0
        jobs = shared(tasks, self.run.config, self.workers, self.seconds)
        return [[self.seconds(task) + start / len(job) for task in job] for job in jobs]

    def _settings(self, task: Task) -> Config:
        """The run's settings, in training as the task's method has them."""
        return self.run.settings_of(task.method) if isinstance(task, Train) else self.run.config

    def _sft_tokens(self, node: str) -> float:
        """Tokens that a specialist is fine-tuned on; not known before of a base's own correct answers."""
        config, way = self.run.config, way_of(self.run.config)
        if way == "world":
            critic = self.run.cast.nodes[node].role == "critic"
            return (config.world.critic_steps if critic else config.world.specialist_steps) * _SFT_STEP_TOKENS
        if way == "answers":
            questions = min(config.specialise.questions, self._questions("train") // len(config.domains))
            return config.specialise.epochs * questions * self.speed.prompt
        if way.startswith(RATIONALES):  # at most one rationale a training question of its domain
            each = self.speed.prompt + self.speed.response
            return config.specialise.epochs * self._questions("train") / len(config.domains) * each
        return 0.0

    def _questions(self, split: Split) -> int:
        if self.questions is not None:
            return self.questions[split]
        return sum(len(d.items(split)) for d in self.run.domains.values())

    def summary(self) -> dict[str, tuple[int, float, float]]:
        """What -> (tasks, tokens, seconds of one worker)."""
        rows: dict[str, tuple[int, float, float]] = {}
        for tasks in self.lists():
            for task, own in zip(tasks, chain(*self._jobs(tasks)), strict=True):
                count, tokens, seconds = rows.get(task.what, (0, 0.0, 0.0))
                rows[task.what] = (count + 1, tokens + self.tokens(task), seconds + own)
        return rows

    def worker_seconds(self) -> float:
        """Expected seconds of one worker doing everything."""
        return sum(seconds for _, _, seconds in self.summary().values())

    def left_seconds(self) -> float:
        """Expected wall time of what is not done yet."""
        return self._wall([task for task in tasks if not is_done(task, self.run)] for tasks in self.lists())

    def wall_seconds(self) -> float:
        """Expected wall time on this machine, or of jobs that need not wait."""
        return self._wall(self.lists())

    def _wall(self, lists: Iterable[list[Task]]) -> float:
        """On GPUs what takes fewer of them than a student is done by more workers."""
        config, cards = self.run.config, 0
        if config.cluster.kind in ("slurm", "local"):
            return sum(map(self._wall_of_jobs, lists))
        if config.cluster.kind == "none":
            cards = len(cards_for(config, self.workers, len(self.run.topology.students)))
        seconds: dict[int, float] = {}
        for task in chain(*lists):
            many = 0 if isinstance(task, Train) else cards // width_of(task, config)
            seconds[many] = seconds.get(many, 0.0) + self.seconds(task)
        return _WARM_START + sum(own / (many or self.workers) for many, own in seconds.items())

    def _wall_of_jobs(self, tasks: list[Task]) -> float:
        """Of one list, as long as its longest job at least."""
        seconds, cluster = [sum(job) for job in self._jobs(tasks)], self.run.config.cluster
        at_once = self.workers if cluster.kind == "local" else cluster.parallel or len(seconds)
        return max([sum(seconds) / at_once, *seconds]) if seconds else 0.0

    def save(self) -> None:
        """Leave the speeds in the run, for ``coopt status``."""
        store.write_json(_saved(self.run), {"speed": self.speed._asdict(), "workers": self.workers})


def saved_plan(run: Run) -> Plan:
    """The plan with which the run was last started, else one with the reference speeds."""
    try:
        tree = store.read_or(_saved(run), {})
        return Plan(run, Speed(*(float(tree["speed"][name]) for name in Speed._fields)), int(tree["workers"]))
    except (ValueError, KeyError, TypeError):
        return Plan(run, REFERENCE, 1)


def _saved(run: Run) -> Path:
    return run.directory / "progress" / "plan.json"
