"""What a task reads of what other tasks have left, and the fingerprints by which it is known later what it was made
from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from coopt.core import seals
from coopt.core.names import BASE, INIT, ORACLE
from coopt.core.outside.parse import parse_json
from coopt.core.seals import Seal, own_digest
from coopt.driver.tasks.task import BreakRate, Merge, Score, Specialise, Task, Train
from coopt.methods.base import Average, Trained
from coopt.methods.tutors.assign import OpenTutor
from coopt.runs.run import PhaseKey, Run

_TASK = "task"


class Input(NamedTuple):
    """A folder that another task has left, and the folder in it that is read: ``model`` or ``state``."""

    phase: PhaseKey
    part: str = "model"


def inputs(task: Task, run: Run) -> list[Input]:
    """The weights that a task reads. Answers are not among them: a decision made from them is the journal's, and the
    weights that gave them are the same."""
    return list(dict.fromkeys(_inputs(task, run)))


def _inputs(task: Task, run: Run) -> Iterator[Input]:
    match task:
        case Specialise():
            return
        case Score():
            if task.method != BASE:
                yield _weights(run, task.seed, task.method, task.round, task.student)
        case Train():
            yield _weights(run, task.seed, task.method, 0, task.tutee)
            if task.round > 1:
                yield Input(PhaseKey(task.seed, task.method, task.round - 1, task.tutee), "state")
            outside = run.trained(task.method).outside_teachers()
            teachers = (name for name in _logit_teachers(task, run).values() if name not in outside)
            yield from (_weights(run, task.seed, INIT, 0, name) for name in teachers)
            yield from _tutors(run, task.seed, task.method, task.tutors)
            if of := run.trained(task.method).tokens_of:
                yield from (_weights(run, task.seed, of, r, task.tutee) for r in range(1, run.rounds_of(of) + 1))
        case Merge():
            method = run.method(task.method)
            assert isinstance(method, Average)
            last = 0 if method.of == INIT else run.rounds_of(method.of)
            yield from (_weights(run, task.seed, method.of, last, s) for s in run.topology.students)
        case BreakRate():
            yield _weights(run, task.seed, BASE, 0, task.tutee)
            yield from _tutors(run, task.seed, BASE, task.tutors)


def _weights(run: Run, seed: int, method: str, round_: int, student: str) -> Input:
    last = run.last_round(seed, method, student, round_)
    return Input(PhaseKey(seed, method if last else INIT, last, student))


def _tutors(run: Run, seed: int, method: str, tutors: Iterable[OpenTutor]) -> Iterator[Input]:
    for tutor in tutors:
        if tutor.name != ORACLE and not run.cast.nodes[tutor.name].endpoint:
            yield _weights(run, seed, method, tutor.round, tutor.name)


def _logit_teachers(task: Train, run: Run) -> dict[str, str]:
    method = run.trained(task.method)
    if type(method).logit_teachers is Trained.logit_teachers:  # most read no start's scores
        return {}
    return dict(method.logit_teachers(run.start_scores(task.seed)))  # damaged if not scored yet: then these come first


def check_inputs(task: Task, run: Run) -> None:
    """Raises ``DamagedError`` if weights that a task reads are not there, or have another size. They are read when they
    are loaded: ``check_weights``; and so is a state."""
    for phase, part in inputs(task, run):
        seals.check(run.phase_dir(*phase), part, "none")


def check_weights(directory: Path, within: str = "") -> None:
    """Raises ``DamagedError`` if the weights of a student or critic in ``directory`` (those in a folder of it) are not
    what was written. A process reads a file that nobody touches once for this."""
    seals.check(directory.parent, f"{directory.name}/{within}".rstrip("/"), "once")


def made_from(task: Task, run: Run) -> dict[str, str]:
    """What the output of a task hangs on: fingerprints of weights by their place in the run, and what was decided. Of
    weights without a seal nothing is known. Raises ``DamagedError``."""
    found = {}
    for phase, _ in inputs(task, run):
        folder = run.phase_dir(*phase)
        seal = seals.read_seal(folder)
        found[folder.relative_to(run.directory).as_posix()] = seal.fingerprint(folder) if seal else ""
    return found | _decided(task, run)


def _decided(task: Task, run: Run) -> dict[str, str]:
    """Changing what stands here makes every run of today be made again."""
    match task:
        case Train():
            told = [[t.name, t.round, t.domains, t.gap, t.style, t.reviewers] for t in task.tutors]
            return {_TASK: own_digest(parse_json(json.dumps([told, _logit_teachers(task, run)])))}
        case BreakRate():
            return {_TASK: own_digest([[t.name, t.style] for t in task.tutors])}
        case _:
            return {}


def is_stale(task: Task, run: Run, seal: Seal) -> bool:
    """Whether an output was made from something else than what lies there now. Raises ``DamagedError``."""
    now, then = made_from(task, run), seal.made_from
    if not then:
        return False  # nobody wrote down what it was made from
    known = {k for k in {*now, *then} if now.get(k, "?") and then.get(k, "?")}
    return any(now.get(k) != then.get(k) for k in known)


def scored_weights(run: Run, seed: int, method: str, round_: int, students: Iterable[str]) -> str:
    """A fingerprint of whose answers some validation scores are; empty where that is not known."""
    found = []
    for student in students:
        seal = seals.read_seal(run.scores_path(seed, method, "validation", round_, student))
        if seal is None or not all(seal.made_from.values()):
            return ""
        found.append([student, dict(seal.made_from)])
    return own_digest(found)[:16]
