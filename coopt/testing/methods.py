"""What a method has to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError, PluginError
from coopt.core.names import INIT, ORACLE
from coopt.core.outside.files import read_bytes
from coopt.core.phase_files import PhaseFiles
from coopt.driver.tasks.task import Merge, Score, Specialise, Train
from coopt.graph.gates.registry import make_gate
from coopt.lm.engines.base import Generation
from coopt.methods.base import METHODS, Average, Trained
from coopt.methods.phase import Phase, check_learnt, train_phase, train_step
from coopt.methods.registry import all_methods, make_method
from coopt.methods.step import Learnt, Step
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import Run

_TINY = (
    "rounds.rounds=2", "rounds.steps=2", "rounds.prompts=2", "rounds.rollouts=4", "rounds.checkpoint_every=1",
    "data.validation=2", "world.rows=400", "sampling.eval_samples=1", "optimizer.warmup=0", "model.specialise=none",
)  # fmt: skip
_KEPT = ("topology", "nodes", "adversary", "domains", "methods", "options", "seed", "seeds", "model", "specialise",
         "world", "data", "break_rate", "engine", "parallel", "run")  # fmt: skip
"""Sections that say what is compared with what, and where it runs: no method's to change."""
_TIMED = ("seconds", "memory_gib")


def check_method(name: str, **flags: Any) -> None:
    """Assert that a registered method keeps the rules: it says what it is and refuses options that it has not; it keeps
    the run's comparison, its students and its graph; a step on the embedded world has finite loss, rows that the model
    can read, and is the same again, also after a kill, and with other worked solutions if it is not ``informed``; and
    nothing to learn from is no error.

    ``flags``: what its run needs (as ``load_config`` takes it), for example ``adversary={"s2": "empty"}``. It stands
    after sdpo and opcod in its run. Takes seconds.
    """
    assert name in all_methods(), f"'{name}' is not registered: @method, in an entry point of the group coopt.methods"
    methods = tuple(dict.fromkeys(("sdpo", "opcod", name)))
    config = load_config(**{"settings": _TINY, "methods": methods} | flags)
    with TemporaryDirectory() as folder:
        try:
            _check_in(Run(Path(folder), config), name)
        except PluginError as error:
            raise AssertionError(str(error)) from error.__cause__


def _check_in(run: Run, name: str) -> None:
    _check_face(name, run)
    _make_starts(run)
    if isinstance(run.method(name), Average):
        _check_average(run, name)
    else:
        _check_settings(run.trained(name), run)
        _check_graph(run.trained(name), run)
        _check_training(run, name)


def _check_face(name: str, run: Run) -> None:
    """Name, description, options."""
    found, method = METHODS[name], run.method(name)
    assert method.name == name, f"it is registered as '{name}' and calls itself '{method.name}'"
    assert len(method.description.splitlines()) == 1, "description is one line"
    unknown = set(method.against) - set(all_methods())
    assert not unknown, f"against names methods that are not registered: {', '.join(sorted(unknown))}"
    found.Options.model_validate(found.Options().model_dump())
    try:
        make_method(name, {name: {"no_such_option": 1}})
    except ConfigError:
        pass
    else:
        raise AssertionError("an option that it does not have must be refused: Options derives from Section")
    method.check(run.config, run.domains)


def _check_settings(method: Trained, run: Run) -> None:
    """What it trains with."""
    configured = method.configure(run.config)
    assert configured == method.configure(run.config), "configure must give the same settings again"
    changed = [k for k in _KEPT if getattr(configured, k) != getattr(run.config, k)]
    assert not changed, f"configure must not change {', '.join(changed)}"


def _check_graph(method: Trained, run: Run) -> None:
    """Students, edges, gates, tutors."""
    graph, students = method.graph(run.topology), run.topology.students
    assert graph.students == students, "graph may add critics, and must keep the students"
    for edge, gate in method.gates(graph, run.config.gate).items():
        known = edge in graph.edges or edge.tutor in (ORACLE, edge.tutee)
        assert known, f"gates: {edge} is no edge of its graph, no oracle's and no student's own"
        assert edge.tutee in students, f"gates: {edge} ends in no student"
        make_gate(gate)
    starts = {s: dict.fromkeys(run.config.domains, 0.5) for s in students}
    teachers = {*students, *method.outside_teachers()}
    assert set(method.logit_teachers(starts).values()) <= teachers, "logit_teachers names students, or outside teachers"


def _make_starts(run: Run) -> None:
    """The base as every node's start, and the students' scores."""
    from coopt.driver.tasks.perform import perform

    for node in run.starts():
        perform(Specialise(run.config.seed, node), run, None)
    for node in run.topology.students:
        perform(Score(run.config.seed, INIT, 0, node, "validation"), run, None)


def _check_average(run: Run, name: str) -> None:
    from coopt.driver.tasks.perform import perform
    from coopt.lm.policy import load_policy

    task = Merge(run.config.seed, name, run.topology.students[0])
    perform(task, run, None)
    load_policy(task.output(run) / "model")


def _check_training(run: Run, name: str) -> None:
    """Two steps at once; one step, a kill and the other; and a step from which nothing can be learnt."""
    whole = _phase(run, name, "whole")
    _train(whole)
    first = _phase(run, name, "resumed")
    first.on_step = _kill
    try:
        _train(first)
    except _KilledError:
        _train(_phase(run, name, "resumed"))
    once, again = (_left_by(run.directory / d, whole.tutee.name) for d in ("whole", "resumed"))
    assert once[0] == again[0], "the same steps again, or after a kill, must be the same: draw from coopt.core.rng only"
    assert once[1] == again[1], "a phase that was killed must end with the weights of one that was not"
    _check_silence(whole)
    if not run.is_informed(name):
        _train(_without_solutions(_phase(run, name, "unread")))
        assert _left_by(run.directory / "unread", whole.tutee.name) == once, (
            "other worked solutions must change nothing, or the method says that it reads them: informed = True"
        )


def _without_solutions(phase: Phase) -> Phase:
    """The same phase, where no question has its own worked solution."""
    domains: Mapping[str, Any] = phase.tutee.domains
    blind = {
        name: replace(domain, rows=tuple(replace(item, solution="no idea") for item in domain.rows))
        for name, domain in domains.items()
    }
    return replace(phase, tutee=replace(phase.tutee, domains=blind))


def _check_silence(phase: Phase) -> None:
    """A step in which nothing is answered and every tutor is away."""
    phase.tutee.engine = _Silent()
    phase.tutee.away = dict.fromkeys(phase.tutee.tutors, "away")
    record, _ = train_step(phase, 0)
    assert math.isfinite(record["loss"]), "without a correct rollout and with all tutors away the loss is finite"


def _phase(run: Run, name: str, folder: str) -> Phase:
    from coopt.driver.tasks.perform import phase_of

    phase = phase_of(_task(run, name), run, None)
    phase.files = PhaseFiles(run.directory / folder / phase.tutee.name)
    watched: Any = _Watched(phase.method, phase.tutee.trainer.policy.context_length)
    phase.method = watched
    return phase


def _task(run: Run, name: str) -> Train:
    """The first student's first round, with every tutor that may speak to it."""
    tutee = run.topology.students[0]
    graph, gates = run.tutoring(name, run.topology)
    tutors = tuple(
        OpenTutor(e.tutor, 0, run.config.domains, None, graph.style_of(e), tuple(graph.reviewers_of(e.tutor)))
        for e in gates
        if e.tutee == tutee
    )
    return Train(run.config.seed, name, 1, tutee, tutors)


def _train(phase: Phase) -> None:
    train_phase(phase)


def _left_by(folder: Path, tutee: str) -> tuple[Any, bytes]:
    """What a phase wrote down, without times; and its weights."""
    files = PhaseFiles(folder / tutee)
    steps = store.read_lines(files.steps)
    assert len(steps) == 2
    assert all(math.isfinite(s["loss"]) and math.isfinite(s["grad_norm"]) for s in steps), (
        "loss and gradient are finite"
    )
    told = [{k: v for k, v in s.items() if k not in _TIMED} for s in steps]
    weights = read_bytes(files.model / "model.safetensors", None)
    return (told, store.read_lines(files.rollouts)), weights


class _KilledError(Exception):
    pass


def _kill(tokens: int) -> None:
    raise _KilledError


class _Watched:
    """A method whose rows are looked at before they are trained on."""

    def __init__(self, method: Trained, room: int) -> None:
        self.method, self.room, self.name = method, room, method.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.method, name)

    def learn(self, step: Step) -> Learnt:
        learnt = self.method.learn(step)
        check_learnt(self.name, learnt)
        assert learnt.examples >= 0, "examples: what the loss is the mean over"
        for row in (row for part in learnt.parts for row in part):
            assert row.response, "a row has a response"
            assert row.student_prompt, "a row has a prompt"
            assert row.weight > 0, "a row that does not count is left out"
            longest = max(len(row.student_prompt), len(row.teacher_prompt)) + len(row.response)
            assert longest <= self.room, (
                f"a row of {longest} tokens does not fit the model: Step.distil and Step.imitate leave such out"
            )
        return learnt


class _Silent:
    """An engine that answers nothing."""

    def sync(self, policy: Any) -> None:
        self.end = min(policy.stop_ids())

    def generate(self, prompts: Sequence[Any], samples: int, sampling: Any, draws: Any) -> list[list[Generation]]:
        return [[Generation((self.end,), "", True)] * samples for _ in prompts]

    def rest(self) -> None:
        pass

    def forget(self) -> None:
        pass
