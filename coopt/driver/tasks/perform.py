"""What the tasks do, inside a worker: load, call the algorithm, write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, RunError
from coopt.core.fault_points import fault_point
from coopt.core.meter import Meter
from coopt.core.names import BASE, INIT, ORACLE
from coopt.core.phase_files import PhaseFiles
from coopt.core.rendezvous import here
from coopt.core.seals import REPAIR
from coopt.domains.base import Domain
from coopt.domains.load import load_domains
from coopt.driver.tasks.inputs import check_inputs, check_weights, made_from
from coopt.driver.tasks.specialists import make_or_take
from coopt.driver.tasks.task import BreakRate, Merge, Score, Specialise, Task, Train
from coopt.graph.topology import Edge
from coopt.lm import ranks
from coopt.lm.bases import base_directory
from coopt.lm.device import full_card, give_back_memory, pick_device
from coopt.lm.engines.base import Engine
from coopt.lm.engines.make import make_engine, release_engines
from coopt.lm.engines.ranked import over_ranks
from coopt.lm.merging import average_weights
from coopt.lm.policy import ADAPTER, Policy, load_policy
from coopt.lm.saving import check_saving
from coopt.lm.shared import load_student
from coopt.lm.training.adapters import make_trainable
from coopt.lm.training.base import Trainer
from coopt.lm.training.checkpoint import TornCheckpointError
from coopt.lm.training.trainer import LocalTrainer
from coopt.methods.base import Average, Trained
from coopt.methods.break_rate import probe_tutee
from coopt.methods.phase import Phase, train_phase
from coopt.methods.scoring import score_policy
from coopt.methods.step import Tutee
from coopt.methods.students import make_student
from coopt.methods.tutors.adversary import HostileTutor
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import ModelTutor, OracleTutor, ReferenceTutor, Speaker, Tutor
from coopt.methods.tutors.endpoint import EndpointSpeaker
from coopt.methods.tutors.local import LocalSpeaker
from coopt.methods.tutors.ranked import FirstRankSpeaker
from coopt.runs.run import Run


def perform(task: Task, run: Run, meter_path: Path | None) -> None:
    """Leave the task's output. ``meter_path``: where it says meanwhile how far it is. Raises ``DamagedError`` before
    any work if what it needs is not there, and where it loads what is not what was written."""
    ranks.from_first(lambda: check_inputs(task, run))
    with full_card(task.label()):
        _perform(task, run, meter_path)


def _perform(task: Task, run: Run, meter_path: Path | None) -> None:
    match task:
        case Specialise():
            specialise(task, run, meter_path)
        case Score():
            score(task, run, meter_path)
        case Train():
            train(task, run, meter_path)
        case Merge():
            merge(task, run)
        case BreakRate():
            probe(task, run, meter_path)


def specialise(task: Specialise, run: Run, meter_path: Path | None) -> None:
    """Make an initial student."""
    make_engine(run.config).rest()  # one that has scored the seed before: a student is fine-tuned in what it holds
    with store.new_directory(task.output(run)) as temporary:
        meter = Meter(meter_path, 1)
        who = run.config, run.cast, run.domains, task.seed, task.student
        make_or_take(
            run, task.seed, task.student, temporary / "model", lambda target: make_student(*who, target, meter)
        )


def score(task: Score, run: Run, meter_path: Path | None) -> None:
    """Score a student or the base."""
    questions = sum(len(d.items(task.split)) for d in run.domains.values())
    meter = Meter(meter_path, questions * run.config.sampling.eval_samples)
    engine = make_engine(run.config, lambda rows, tokens: meter.add(rows, tokens))
    result = score_model(run, task, engine, run.domains)
    fault_point("scoring")
    store.write_sealed(task.output(run), store.as_json(result), made_from(task, run))


def score_model(run: Run, task: Score, engine: Engine, domains: Mapping[str, Domain]) -> dict[str, Any]:
    """What ``score_policy`` finds on some of the run's domains. Random numbers are the same for every round and method:
    differences are between models, not between draws."""
    if task.method == BASE:
        policy = load_student(run.config, base_directory(run.config.model.path))
    else:
        policy = _load(run.config, run.weights(task.seed, task.method, task.round, task.student))
    key = (task.seed, task.student, "score")
    return score_policy(policy, engine, domains, task.split, run.config.sampling, key)


def _load(config: Config, directory: Path, device: str = "", *, trained: bool = False) -> Policy:
    """What the run has made there, once it is known to be what was written. With several ranks all of them load it,
    and the first one looks."""
    alone = config.one_base and not directory.is_symlink() and (directory / ADAPTER).is_dir()
    ranks.from_first(lambda: check_weights(directory, ADAPTER if alone else ""))
    return load_student(config, directory, device, trained=trained)


def train(task: Train, run: Run, meter_path: Path | None) -> None:
    """Train one tutee for one round: in this process, as one of ``parallel.ranks`` that have joined, or by ranks that
    are started here and now."""
    config = run.settings_of(task.method)
    if config.parallel.ranks > 1 and ranks.world() == 1:
        arguments = (run.directory, task, meter_path)
        release_engines(config)  # what scored the tasks before would stay beside the ranks' own
        ranks.launch_ranks(config.parallel.ranks, _train_as_rank, arguments, backend=config.parallel.backend)
        return
    if ranks.world() != config.parallel.ranks:
        raise RunError(f"{ranks.world()} ranks were started for a run with parallel.ranks = {config.parallel.ranks}.")
    make_engine(config).rest()  # one that has scored in this process: a student is loaded into what it holds
    train_phase(phase_of(task, run, meter_path))


def phase_of(task: Train, run: Run, meter_path: Path | None) -> Phase:
    """The phase of a task, ready to be trained."""
    method, config = run.trained(task.method), run.settings_of(task.method)
    trainer = _trainer(task, run, method, config)
    teachers = method.logit_teachers(run.start_scores(task.seed))
    trainer.peers = _peers(task, run, method, teachers)
    if task.round > 1:
        before = run.phase_files(task.seed, task.method, task.round - 1, task.tutee)
        try:
            trainer.load(before.state, optimizer=config.rounds.carry_state, teacher=config.rounds.carries_teacher)
        except TornCheckpointError:
            raise DamagedError(f"{before.state}: is not what was written. {REPAIR}", before.folder) from None
    meter = Meter(meter_path if ranks.leads() else None, config.rounds.steps)
    tutors = Tutors(run, task.method, task.seed)
    tutee = Tutee(
        config=config,
        domains=run.domains,
        name=task.tutee,
        seed=task.seed,
        round=task.round,
        trainer=trainer,
        engine=over_ranks(make_engine(config)),
        tutors={t.name: tutors.make(t, run.domains, hostile=method.adversaries) for t in task.tutors},
        open_tutors=task.tutors,
        trained_on=run.topology.trained_on(task.tutee, config.domains),
        native=run.topology.native,
        budget=run.tokens(task.seed, method.tokens_of, task.tutee) if method.tokens_of else math.inf,
        spent=run.tokens(task.seed, task.method, task.tutee, task.round - 1) if method.tokens_of else 0,
        logit_teachers=teachers,
    )
    files, origin = PhaseFiles(task.output(run)), ranks.from_first(lambda: made_from(task, run))
    return Phase(tutee, method, files, on_step=lambda tokens: meter.add(1, tokens), made_from=origin)


def _trainer(task: Train, run: Run, method: Trained, config: Config) -> Trainer:
    """The tutee at its start, ready to be trained."""
    start = run.phase_files(task.seed, task.method, 0, task.tutee).model
    # A model that is to be sharded is loaded on the CPU: whole, it need not fit a GPU.
    with blame(f"tutee {task.tutee}, its weights {start}"):
        policy = _load(config, start, "cpu" if ranks.world() > 1 else config.run.device, trained=True)
        if task.round == 1 and start.is_symlink():  # what this run has made was looked at before it was made
            check_saving(policy, start)
        policy = make_trainable(policy, config.model.weights, config.model.lora_rank, task.seed, task.tutee)
    if (together := here()) is not None:
        from coopt.lm.training.lockstep import LockstepTrainer

        return LockstepTrainer(policy, config, method.objective(config), together=together)
    if ranks.world() == 1:
        return LocalTrainer(policy, config, method.objective(config))
    from coopt.lm.training.sharded import ShardedTrainer

    return ShardedTrainer(policy, config, method.objective(config))


def _peers(task: Train, run: Run, method: Trained, teachers: Mapping[str, str]) -> dict[str, Policy]:
    """The models whose logits or rollouts a phase reads: students' starts, open tutors as they are at the round's
    start, models from outside."""
    outside = method.outside_teachers()
    found = {name: run.weights(task.seed, INIT, 0, name) for name in teachers.values() if name not in outside}
    if method.reads_peers:
        found |= {t.name: run.weights(task.seed, task.method, t.round, t.name) for t in task.tutors}
    peers = {}
    for name, directory in found.items():
        with blame(f"teacher {name}, its weights {directory}"):
            peers[name] = _load(run.config, directory)
    for name, model in outside.items():
        with blame(f"teacher {name}, its weights {model}"):
            kind, device = run.config.model.dtype, run.config.run.device
            peers[name] = load_policy(base_directory(model), dtype=kind, device=device, trained=False)
    return peers


def merge(task: Merge, run: Run) -> None:
    """Publish the mean of the weights of all students; one that collapsed enters as it was then."""
    method = run.method(task.method)
    assert isinstance(method, Average)
    last = 0 if method.of == INIT else run.rounds_of(method.of)
    models = {s: run.weights(task.seed, method.of, last, s) for s in run.topology.students}
    for directory in models.values():
        check_weights(directory)
    with store.new_directory(task.output(run), made_from(task, run)) as temporary:
        average_weights(models, temporary / "model")


def _train_as_rank(directory: Path, task: Train, meter_path: Path | None) -> None:
    train(task, Run.open(directory), meter_path)


_HELD_PARAMETERS = 50_000_000


class Tutors:
    """Makes a task's tutors, with room for one tutor's weights: requests are grouped by tutor, so a task with many
    tutors holds one at a time. Adapters on a shared base are all held: they cost little. So are models as small as the
    embedded one, which a committee would otherwise load twice a step: until together they have ``_HELD_PARAMETERS``."""

    def __init__(self, run: Run, method: str, seed: int) -> None:
        self.run = run
        self.method = method
        self.seed = seed
        self.engine = over_ranks(make_engine(run.config))
        self._held: dict[Path, Policy] = {}

    def make(self, tutor: OpenTutor, domains: Mapping[str, Domain], *, hostile: bool) -> Tutor:
        """The tutor of an edge. ``hostile``: as the run's adversaries have it."""
        config = self.run.config
        style = tutor.style or config.feedback.style
        if tutor.name == ORACLE:
            return OracleTutor(domains, style)
        limit = config.sampling.max_feedback_tokens
        solution = max(limit, config.sampling.max_response_tokens)
        informed = self.run.cast.nodes[tutor.name].role == "critic"
        kind = ReferenceTutor if style == "reference" else ModelTutor
        honest = kind(self._speaker(tutor), domains, style, limit, informed, solution)
        if not hostile or tutor.name not in config.adversary:
            return honest
        return HostileTutor(config.adversary[tutor.name], honest, domains)

    def _speaker(self, tutor: OpenTutor) -> Speaker:
        node = self.run.cast.nodes[tutor.name]
        if node.endpoint:
            config = self.run.config
            temperature = config.sampling.feedback_temperature
            speaker = EndpointSpeaker(node.id, node.endpoint, node.model, config.critics, temperature)
            return FirstRankSpeaker(speaker)
        directory = self.run.weights(self.seed, self.method, tutor.round, tutor.name)
        load = partial(self._load, tutor.name, directory)
        return LocalSpeaker(load, self.engine, self.run.config.sampling.feedback_temperature)

    def _load(self, name: str, directory: Path) -> Policy:
        together = here()
        if together is not None:  # a tutor of several students is held once
            return together.once((directory,), lambda: self._load_now(name, directory))
        if directory not in self._held:
            held = sum(p.numel() for policy in self._held.values() for p in policy.model.parameters())
            if held > _HELD_PARAMETERS and not self.run.config.one_base:
                self._let_go()
            self._held[directory] = self._load_now(name, directory)
        return self._held[directory]

    def _let_go(self) -> None:
        """Before the next one is loaded: a GPU need not have room for two."""
        self._held.clear()
        self.engine.forget()
        give_back_memory(pick_device(self.run.config.run.device))

    def _load_now(self, name: str, directory: Path) -> Policy:
        with blame(f"tutor {name}, its weights {directory}"):
            return _load(self.run.config, directory)


def probe(task: BreakRate, run: Run, meter_path: Path | None) -> None:
    """Probe every edge into one initial student."""
    config = run.config.model_copy(
        update={"data": run.config.data.model_copy(update={"validation": run.config.probed_questions})}
    )
    domains = load_domains(config)
    questions = sum(len(d.items("validation")) for d in domains.values())
    # rollouts, two controls, and for every tutor a critique and two answers
    meter = Meter(meter_path, questions * config.rounds.rollouts * (3 + 2 * len(task.tutors)))
    engine = make_engine(config, lambda rows, tokens: meter.add(rows, tokens))
    made = Tutors(run, BASE, task.seed)
    tutors = {Edge(t.name, task.tutee): made.make(t, domains, hostile=True) for t in task.tutors}
    tutee = _load(config, run.weights(task.seed, BASE, 0, task.tutee))
    result = probe_tutee(tutee, engine, domains, tutors, config, (task.seed, task.tutee, "break-rate"))
    texts = run.probe_texts_path(task.seed, task.tutee)
    store.rewrite_lines(texts, result.pop("texts"))
    store.write_sealed(task.output(run), store.as_json(result), made_from(task, run), [texts])
