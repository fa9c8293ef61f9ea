"""What a method has to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coopt.core import store
from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.graph.gates.registry import make_gate
from coopt.lm.engines.base import Generation
from coopt.methods.base import METHODS, ORACLE, Method
from coopt.methods.registry import all_methods, make_method
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import INIT, Run

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
        run = Run(Path(folder), config)
        _check_face(name, run)
        _check_graph(run.method(name), run)
        _make_starts(run)
        if run.method(name).averages():
            _check_average(run, name)
        else:
            _check_training(run, name)


def _check_face(name: str, run: Run) -> None:
    """Name, description, options, settings."""
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
    configured = method.configure(run.config)
    assert configured == method.configure(run.config), "configure must give the same settings again"
    changed = [k for k in _KEPT if getattr(configured, k) != getattr(run.config, k)]
    assert not changed, f"configure must not change {', '.join(changed)}"
    assert method.rounds(run.config) >= 1, "rounds is at least 1"


def _check_graph(method: Method, run: Run) -> None:
    """Students, edges, gates, tutors."""
    graph, students = method.graph(run.topology), run.topology.students
    assert graph.students == students, "graph may add critics, and must keep the students"
    for edge, gate in method.gates(graph, run.config.gate).items():
        known = edge in graph.edges or edge.tutor in (ORACLE, edge.tutee)
        assert known, f"gates: {edge} is no edge of its graph, no oracle's and no student's own"
        assert edge.tutee in students, f"gates: {edge} ends in no student"
        make_gate(gate)
    for newest in range(4):
        assert 0 <= method.tutor_round(newest) <= newest, "tutor_round: 0 to the newest round"
    starts = {s: dict.fromkeys(run.config.domains, 0.5) for s in students}
    assert set(method.logit_teachers(starts).values()) <= set(students), "logit_teachers names students"


def _make_starts(run: Run) -> None:
    """The base as every node's start, and the students' scores."""
    from coopt.driver.tasks.task import Score, Specialise

    for node in run.starts():
        Specialise(run.config.seed, node).perform(run, None)
    for node in run.topology.students:
        Score(run.config.seed, INIT, 0, node, "validation").perform(run, None)


def _check_average(run: Run, name: str) -> None:
    from coopt.lm.policy import load_policy

    task = _task(run, name)
    task.perform(run, None)
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
    once, again = (_left_by(run.directory / d, whole.tutee) for d in ("whole", "resumed"))
    assert once[0] == again[0], "the same steps again, or after a kill, must be the same: draw from coopt.core.rng only"
    assert once[1] == again[1], "a phase that was killed must end with the weights of one that was not"
    _check_silence(whole)
    if not run.is_informed(name):
        _train(_without_solutions(_phase(run, name, "unread")))
        assert _left_by(run.directory / "unread", whole.tutee) == once, (
            "other worked solutions must change nothing, or the method says that it reads them: informed = True"
        )


def _without_solutions(phase: Any) -> Any:
    """The same phase, where no question has its own worked solution."""
    blind = {
        name: replace(domain, rows=tuple(replace(item, solution="no idea") for item in domain.rows))
        for name, domain in phase.domains.items()
    }
    return replace(phase, domains=blind)


def _check_silence(phase: Any) -> None:
    """A step in which nothing is answered and every tutor is away."""
    from coopt.methods.phase import train_step

    phase.engine = _Silent()
    phase.away = dict.fromkeys(phase.tutors, "away")
    record, _ = train_step(phase, 0)
    assert math.isfinite(record["loss"]), "without a correct rollout and with all tutors away the loss is finite"


def _phase(run: Run, name: str, folder: str) -> Any:
    from coopt.driver.tasks.perform import phase_of

    method = run.method(name)
    phase: Any = phase_of(_task(run, name), run, method, method.configure(run.config), None)
    phase.directory = run.directory / folder / phase.tutee
    phase.method = _Watched(method, phase.trainer.policy.context_length)
    return phase


def _task(run: Run, name: str) -> Any:
    """The first student's first round, with every tutor that may speak to it."""
    from coopt.driver.tasks.task import Train

    method, tutee = run.method(name), run.topology.students[0]
    graph = method.graph(run.topology)
    tutors = tuple(
        OpenTutor(e.tutor, 0, run.config.domains, None, graph.style_of(e), tuple(graph.reviewers_of(e.tutor)))
        for e in method.gates(graph, run.config.gate)
        if e.tutee == tutee
    )
    return Train(run.config.seed, name, 1, tutee, tutors)


def _train(phase: Any) -> None:
    from coopt.methods.phase import train_phase

    train_phase(phase)


def _left_by(folder: Path, tutee: str) -> tuple[Any, bytes]:
    """What a phase wrote down, without times; and its weights."""
    steps = store.read_lines(folder / f"{tutee}.steps.jsonl")
    assert len(steps) == 2
    assert all(math.isfinite(s["loss"]) and math.isfinite(s["grad_norm"]) for s in steps), (
        "loss and gradient are finite"
    )
    told = [{k: v for k, v in s.items() if k not in _TIMED} for s in steps]
    weights = (folder / tutee / "model" / "model.safetensors").read_bytes()
    return (told, store.read_lines(folder / f"{tutee}.rollouts.jsonl")), weights


class _KilledError(Exception):
    pass


def _kill(tokens: int) -> None:
    raise _KilledError


class _Watched:
    """A method whose rows are looked at before they are trained on."""

    def __init__(self, method: Method, room: int) -> None:
        self.method, self.room = method, room

    def learn(self, step: Any) -> Any:
        parts = self.method.learn(step)
        assert parts, "learn returns one part for each update; a part may be empty"
        assert step.examples >= 0, "examples: what the loss is the mean over"
        for row in (row for part in parts for row in part):
            assert row.response, "a row has a response"
            assert row.student_prompt, "a row has a prompt"
            assert row.weight > 0, "a row that does not count is left out"
            longest = max(len(row.student_prompt), len(row.teacher_prompt)) + len(row.response)
            assert longest <= self.room, (
                f"a row of {longest} tokens does not fit the model: Step.fits counts and says so"
            )
        return parts


class _Silent:
    """An engine that answers nothing."""

    def sync(self, policy: Any) -> None:
        self.end = min(policy.stop_ids())

    def generate(self, prompts: Sequence[Any], samples: int, sampling: Any, rng: Any) -> list[list[Generation]]:
        return [[Generation((self.end,), "", True)] * samples for _ in prompts]

    def rest(self) -> None:
        pass
