"""What a run is going to do, and how long it should take: shown before anything long begins.

Speeds come from a probe of a second or two with the run's own base model on this machine; the embedded students'
are in one proportion to the base's everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from coopt.core import store
from coopt.core.config.schema import Config
from coopt.core.errors import ModelError
from coopt.domains.base import SPLITS, Domain, Split
from coopt.driver.tasks.task import BreakRate, Score, Specialise, Task, Train, is_done
from coopt.methods.students import RATIONALES, way_of
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import BASE, INIT, Run

if TYPE_CHECKING:
    from coopt.driver.plan.assumed import Assumed
    from coopt.lm.policy import Policy

_LARGE = 20_000_000  # parameters; a model over this is probed with a few short rows, its lengths are not measured
_WARM_START = 8.0  # seconds until a worker has imported torch and transformers
_SFT_STEP_TOKENS = 48 * 50  # tokens of one step of the embedded specialists' training


class Speed(NamedTuple):
    """Lengths in tokens, speeds in tokens per second of one worker.

    The response length of a large model is its limit: an upper bound.
    """

    prompt: float
    response: float
    generate: float
    train: float
    distinct: float
    """Share of rollouts that are distinct, which is what updates and critiques cost."""


REFERENCE = Speed(prompt=11.9, response=17.8, generate=45_000, train=9_500, distinct=0.35)
"""The embedded students on two idle cores, per worker: with it the plan of ``coopt bench`` is the 2 min 16 s that it
took (README)."""
_BASE = {"generate": 29_000, "train": 6_500, "distinct": 0.80}
"""What a probe finds there on the embedded base, which repeats itself less than its students."""


def probe_speed(config: Config) -> Speed:
    """Generate and train for a moment with the base model, with as many threads as this process has. In a process
    apart, because the driver itself needs none of the libraries that this takes."""
    import torch

    from coopt.core.processes import apart

    probed: Speed = apart(torch.get_num_threads(), _probe, config)
    return of_students(probed, config.rounds.rollouts) if way_of(config) == "world" else probed


def of_students(base: Speed, rollouts: int) -> Speed:
    """Speeds of the embedded students where the embedded base has those of ``base``. One in ``rollouts`` is distinct
    at least."""
    generate, train, distinct = (getattr(base, k) * getattr(REFERENCE, k) / there for k, there in _BASE.items())
    return base._replace(generate=generate, train=train, distinct=max(distinct, 1 / rollouts))


def _probe(config: Config) -> Speed:
    import torch

    from coopt.core.rng import generator
    from coopt.domains.load import load_domains
    from coopt.lm.bases import base_directory
    from coopt.lm.engines.base import Sampling
    from coopt.lm.engines.hf import HFEngine
    from coopt.lm.policy import load_policy
    from coopt.lm.training.adapters import make_trainable
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.trainer import LocalTrainer

    policy = load_policy(base_directory(config.model.path), dtype=config.model.dtype, device=config.run.device)
    _check_prompts_fit(policy, load_domains(config), config)
    domain = load_domains(config)[config.domains[0]]
    large = sum(p.numel() for p in policy.model.parameters()) > _LARGE
    prompt_count, samples, limit = (2, 2, 24) if large else (16, config.rounds.rollouts, 10**9)
    items = domain.items("train")[:prompt_count]
    prompts = [policy.prompt_ids(domain.wording, i.prompt) for i in items]
    engine = HFEngine(config.sampling.batch_rows)
    engine.sync(policy)
    how = Sampling(config.sampling.temperature, min(limit, config.sampling.max_response_tokens))
    start = time.perf_counter()
    groups = engine.generate(prompts, samples, how, generator("plan"))
    rolled = time.perf_counter() - start
    rollouts = [(p, y) for p, ys in zip(prompts, groups, strict=True) for y in ys]
    tokens = sum(len(y.tokens) for _, y in rollouts)
    distinct = {(tuple(p), y.tokens) for p, y in rollouts}
    trainer = LocalTrainer(make_trainable(policy, config.model.weights, config.model.lora_rank, "plan"), config)
    rows = [TrainRow(p, p + p, y) for p, y in sorted(distinct)[: 4 * prompt_count]]
    start = time.perf_counter()
    trainer.update(rows, len(rows))
    trained = time.perf_counter() - start
    read = sum(len(r.student_prompt) + len(r.response) for r in rows)
    del trainer, policy
    torch.cuda.empty_cache()
    return Speed(
        prompt=sum(map(len, prompts)) / len(prompts),
        response=config.sampling.max_response_tokens if large else tokens / len(rollouts),
        generate=tokens / rolled,
        train=read / trained,
        distinct=len(distinct) / len(rollouts),
    )


def _check_prompts_fit(policy: Policy, domains: Mapping[str, Domain], config: Config) -> None:
    """Refuse rows that the base cannot read before anything is written; the longest in characters are tried."""
    room = policy.context_length - config.sampling.max_response_tokens
    for domain in domains.values():
        items = [i for split in SPLITS for i in domain.items(split)]
        for item in sorted(items, key=lambda i: -len(i.prompt))[:20]:
            tokens = len(policy.prompt_ids(domain.wording, item.prompt))
            if tokens > room:
                raise ModelError(
                    f"{domain.name} question {item.id} has {tokens} tokens; the model's context of"
                    f" {policy.context_length} leaves {room} beside sampling.max_response_tokens ="
                    f" {config.sampling.max_response_tokens}. Lower that setting, or take another --preset (mini for"
                    " tiny models) or another --model."
                )


@dataclass(frozen=True)
class Plan:
    """Tasks with the seconds that each should take."""

    run: Run
    speed: Speed
    workers: int
    questions: Mapping[Split, int] | None = None
    """Questions a split, of all domains together; None: counted in the run's data."""
    source: str = "by the base's, measured just now"
    """Where the speeds come from."""
    assumed: Assumed | None = None
    """What is assumed, where the speeds are."""
    why: tuple[str, ...] = ()
    """Why they are: what is missing, or too large."""

    def tasks(self) -> Iterator[tuple[str, Task]]:
        """(what it is for, task) of everything that the run will do, whatever the gates decide."""
        config, students = self.run.config, self.run.topology.students
        for seed in config.all_seeds:
            for node in self.run.starts():
                yield "specialists", Specialise(seed, node)
            for critic in self.run.scored_critics():
                yield "validation scores", Score(seed, INIT, 0, critic, "validation")
                yield "test scores", Score(seed, INIT, 0, critic, "test")
            for student in students:
                yield "test scores", Score(seed, INIT, 0, student, "test")
                yield "validation scores", Score(seed, INIT, 0, student, "validation")
                if config.break_rate.questions:
                    yield "break-rate probe", BreakRate(seed, student, self._all_tutors("opcod", student))
            yield "test scores", Score(seed, BASE, 0, BASE, "test")
            for method in config.methods:
                for student in students:
                    last = self.run.rounds_of(method)
                    for r in range(1, last + 1):
                        yield f"training {method}", Train(seed, method, r, student, self._all_tutors(method, student))
                        yield "validation scores", Score(seed, method, r, student, "validation")
                    yield "test scores", Score(seed, method, last, student, "test")

    def _all_tutors(self, method: str, student: str) -> tuple[OpenTutor, ...]:
        found = self.run.method(method)
        gates = found.gates(found.graph(self.run.topology), self.run.config.gate)
        return tuple(OpenTutor(e.tutor, 0, self.run.config.domains) for e in gates if e.tutee == student)

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
        if isinstance(task, Train) and not self._averages(task):
            method = self.run.method(task.method)
            rollouts = config.rounds.prompts * method.rollouts(config)
            messages = method.messages(config, len(task.tutors))
            critique = 0.6 * config.sampling.max_feedback_tokens * self.speed.distinct * messages
            return config.rounds.steps * rollouts * (self.speed.response + critique)
        if isinstance(task, Specialise) and way_of(config) == "own_correct":
            return config.specialise.questions * samples * self.speed.response
        return 0.0

    def seconds(self, task: Task) -> float:
        """Seconds that a task should take on one worker."""
        generating = self.tokens(task) / self.speed.generate
        if isinstance(task, Train) and not self._averages(task):
            settings = self._settings(task)
            rounds, rollouts = settings.rounds, self.run.method(task.method).rollouts(settings)
            rows = rounds.prompts * max(1.0, rollouts * self.speed.distinct)
            read = rows * (self.speed.prompt + self.speed.response)
            # An open gate makes the teacher's prompts longer and leaves fewer rollouts without a target.
            return generating + rounds.steps * read * (1.3 if task.tutors else 1.0) / self.speed.train
        if isinstance(task, Specialise):
            return generating + self._sft_tokens(task.student) / self.speed.train
        return generating

    def _settings(self, task: Task) -> Config:
        """The run's settings, in training as the task's method has them."""
        config = self.run.config
        return self.run.method(task.method).configure(config) if isinstance(task, Train) else config

    def _averages(self, task: Train) -> bool:
        return bool(self.run.method(task.method).averages())

    def _sft_tokens(self, node: str) -> float:
        """Tokens that a specialist is fine-tuned on; not known before of a base's own correct answers."""
        config, way = self.run.config, way_of(self.run.config)
        if way == "world":
            critic = self.run.cast.nodes[node].role == "critic"
            return (config.world.critic_steps if critic else config.world.specialist_steps) * _SFT_STEP_TOKENS
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
        for what, task in self.tasks():
            count, tokens, seconds = rows.get(what, (0, 0.0, 0.0))
            rows[what] = (count + 1, tokens + self.tokens(task), seconds + self.seconds(task))
        return rows

    def worker_seconds(self) -> float:
        """Expected seconds of one worker doing everything."""
        return sum(seconds for _, _, seconds in self.summary().values())

    def left_seconds(self) -> float:
        """Expected wall time of what is not done yet."""
        left = sum(self.seconds(task) for _, task in self.tasks() if not is_done(task, self.run))
        return _WARM_START + left / self.workers

    def wall_seconds(self) -> float:
        """Expected wall time on this machine."""
        return _WARM_START + self.worker_seconds() / self.workers

    def save(self) -> None:
        """Leave the speeds in the run, for ``coopt status``."""
        store.write_json(_saved(self.run), {"speed": self.speed._asdict(), "workers": self.workers})


def saved_plan(run: Run) -> Plan:
    """The plan with which the run was last started, else one with the reference speeds."""
    path = _saved(run)
    if not path.is_file():
        return Plan(run, REFERENCE, 1)
    tree = store.read_json(path)
    return Plan(run, Speed(**tree["speed"]), tree["workers"])


def _saved(run: Run) -> Path:
    return run.directory / "progress" / "plan.json"
