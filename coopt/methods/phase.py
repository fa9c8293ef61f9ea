"""One phase of one tutee: K steps of its method with frozen tutors (paper Algorithm 1).

With several ranks each of them runs all of this alike, and rank 0 writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.fault_points import fault_point
from coopt.domains.base import Domain
from coopt.lm import ranks
from coopt.lm.engines.base import Engine
from coopt.lm.training.base import Trainer
from coopt.lm.training.checkpoint import TornCheckpointError
from coopt.lm.training.order import PromptOrder
from coopt.methods.advantages import advantage_records, is_due
from coopt.methods.base import Method
from coopt.methods.records import group_records, step_record
from coopt.methods.step import Step
from coopt.methods.tutors.assign import OpenTutor
from coopt.methods.tutors.base import Tutor

KEEP_CHECKPOINTS = 2  # the newest may be damaged by what killed the run


@dataclass
class Phase:
    """A tutee in a round: who, with what, and where it is written."""

    config: Config
    domains: Mapping[str, Domain]
    method: Method
    seed: int
    round: int
    tutee: str
    trainer: Trainer
    engine: Engine
    tutors: Mapping[str, Tutor]
    directory: Path
    open_tutors: Sequence[OpenTutor] = ()
    """The round's open edges into the tutee; ``tutors`` are their models."""
    trained_on: tuple[str, ...] = ()
    """The tutee's training domains; empty: the run's."""
    logit_teachers: Mapping[str, str] = field(default_factory=dict)
    """domain -> the peer of the trainer that is its teacher there (``Method.logit_teachers``)."""
    on_step: Callable[[int], None] = lambda tokens: None
    order: PromptOrder = field(init=False)
    away: dict[str, str] = field(default_factory=dict)
    """Tutors that stopped answering in this phase, and what was the matter."""

    def __post_init__(self) -> None:
        self.order = PromptOrder(self.domains, self.trained_on or self.config.domains, self.seed, self.tutee)

    @property
    def first_step(self) -> int:
        return (self.round - 1) * self.config.rounds.steps


def train_phase(phase: Phase) -> None:
    """Train, then publish: the weights as a Hugging Face directory, and the state for the next round."""
    done = _resume(phase)
    rounds = phase.config.rounds
    for k in range(done, rounds.steps):
        record, groups = train_step(phase, phase.first_step + k)
        if ranks.leads():
            store.append_lines(phase.directory.with_name(f"{phase.tutee}.steps.jsonl"), [record])
            store.append_lines(phase.directory.with_name(f"{phase.tutee}.rollouts.jsonl"), groups)
            fault_point("step")
        if (k + 1) % rounds.checkpoint_every == 0 and k + 1 < rounds.steps:
            phase.trainer.save(_checkpoints(phase) / f"step_{k + 1}", background=True)
            _forget_old(phase)
        phase.on_step(record["tokens"]["rollout"] + record["tokens"]["feedback"] + record["tokens"]["trained"])
    phase.trainer.settle()
    with ranks.new_directory(phase.directory) as temporary:
        phase.trainer.publish(temporary / "model")
        phase.trainer.save(temporary / "state")
    if ranks.leads():
        shutil.rmtree(_checkpoints(phase), ignore_errors=True)


def train_step(phase: Phase, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One step: the method makes rows of the prompts, the trainer learns them. Returns its record and its rollouts."""
    restarts = 0 if phase.config.rounds.carry_state else phase.first_step
    step = Step(phase, number, phase.order.batch(number - restarts, phase.config.rounds.prompts))
    parts = phase.method.learn(step)
    phase.engine.rest()
    with blame(f"tutee {phase.tutee}"):
        if is_due(phase, number):
            _write_advantages(phase, advantage_records(step, parts))
        stats = phase.trainer.update_in_parts(parts, step.examples // len(parts))
    step.clock.lap("update")
    return step_record(step, stats), group_records(step)


def _write_advantages(phase: Phase, records: list[dict[str, Any]]) -> None:
    if records and ranks.leads():
        store.append_lines(phase.directory.with_name(f"{phase.tutee}.advantages.jsonl"), records)


def _checkpoints(phase: Phase) -> Path:
    return phase.directory.with_name(f"{phase.tutee}.checkpoints")


def _resume(phase: Phase) -> int:
    """Load the newest complete checkpoint of this phase; returns the steps that are done."""
    done = 0
    for checkpoint in reversed(ranks.from_first(lambda: _complete_checkpoints(phase))):
        try:
            phase.trainer.load(checkpoint)
        except TornCheckpointError:  # by what killed the machine: the one before it is whole
            continue
        done = _step_of(checkpoint)
        break
    for name in ("steps", "rollouts", "advantages"):
        path = phase.directory.with_name(f"{phase.tutee}.{name}.jsonl")
        lines = [x for x in store.read_lines(path) if x["step"] < phase.first_step + done]
        if ranks.leads() and path.is_file():
            store.rewrite_lines(path, lines)
        if name == "steps" and lines:
            phase.away |= lines[-1]["away"]  # who stayed away in this phase is not asked again in it
    return done


def _complete_checkpoints(phase: Phase) -> list[Path]:
    return sorted(filter(store.is_complete, _checkpoints(phase).glob("step_*[0-9]")), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("_")[2])


def _forget_old(phase: Phase) -> None:
    for old in _complete_checkpoints(phase)[:-KEEP_CHECKPOINTS] if ranks.leads() else ():
        shutil.rmtree(old)
