"""One phase of one tutee: K steps of its method with frozen tutors (paper Algorithm 1).

With several ranks each of them runs all of this alike, and rank 0 writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.fault_points import fault_point
from coopt.core.phase_files import PhaseFiles
from coopt.lm import ranks
from coopt.lm.training.checkpoint import TornCheckpointError
from coopt.lm.training.order import PromptOrder
from coopt.methods.advantages import advantage_records
from coopt.methods.base import Trained
from coopt.methods.records import group_records, step_record
from coopt.methods.scoring import score_policy
from coopt.methods.step import Step, Tutee

KEEP_CHECKPOINTS = 2  # the newest may be damaged by what killed the run


@dataclass
class Phase:
    """A tutee, the method by which it trains, and where that is written."""

    tutee: Tutee
    method: Trained
    files: PhaseFiles
    on_step: Callable[[int], None] = lambda tokens: None
    order: PromptOrder = field(init=False)

    def __post_init__(self) -> None:
        who = self.tutee
        self.order = PromptOrder(who.domains, who.trained_on or who.config.domains, who.seed, who.name)

    @property
    def config(self) -> Config:
        return self.tutee.config

    @property
    def first_step(self) -> int:
        """The number, over the whole run, of the phase's first step."""
        return (self.tutee.round - 1) * self.config.rounds.steps


def train_phase(phase: Phase) -> None:
    """Train, then publish: the weights as a Hugging Face directory, and the state for the next round."""
    done = _resume(phase)
    rounds, trainer, files = phase.config.rounds, phase.tutee.trainer, phase.files
    for k in range(done, rounds.steps):
        record, groups = train_step(phase, phase.first_step + k)
        if ranks.leads():
            store.append_lines(files.steps, [record])
            store.append_lines(files.rollouts, groups)
            fault_point("step")
        if rounds.evaluate_every and (k + 1) % rounds.evaluate_every == 0 and k + 1 < rounds.steps:
            _evaluate(phase, phase.first_step + k)
        if (k + 1) % rounds.checkpoint_every == 0 and k + 1 < rounds.steps:
            trainer.save(files.checkpoints / f"step_{k + 1}", background=True)
            _forget_old(files)
        phase.on_step(record["tokens"]["rollout"] + record["tokens"]["feedback"] + record["tokens"]["trained"])
    trainer.settle()
    with ranks.new_directory(files.folder) as temporary:
        trainer.publish(temporary / files.model.name)
        trainer.save(temporary / files.state.name)
    if ranks.leads():
        shutil.rmtree(files.checkpoints, ignore_errors=True)


def train_step(phase: Phase, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One step: the method makes rows of the prompts, the trainer learns them. Returns its record and its rollouts."""
    # With the state carried over, rounds go on in the order of prompts; else each begins it anew.
    restarts = 0 if phase.config.rounds.carry_state else phase.first_step
    tutee = phase.tutee
    step = Step(tutee, number, phase.order.batch(number - restarts, phase.config.rounds.prompts))
    learnt = phase.method.learn(step)
    tutee.engine.rest()
    with blame(f"tutee {tutee.name}"):
        if _advantages_are_due(phase, number):
            records = advantage_records(step, learnt)
            if records and ranks.leads():
                store.append_lines(phase.files.advantages, records)
        # examples per part: each part is an update of its own, with its own mean.
        stats = tutee.trainer.update_in_parts(learnt.parts, learnt.examples // len(learnt.parts))
    step.clock.lap("update")
    return step_record(step, learnt, stats), group_records(number, learnt.groups)


def _evaluate(phase: Phase, number: int) -> None:
    """Validation scores after step ``number`` of the run, with the random numbers of every other score."""
    who, sampling = phase.tutee, phase.config.sampling
    key = who.seed, who.name, "score"
    found = score_policy(who.trainer.serving(), who.engine, who.domains, "validation", sampling, key)
    who.engine.rest()
    if ranks.leads():
        store.append_lines(phase.files.evaluations, [{"step": number} | found])


def _advantages_are_due(phase: Phase, number: int) -> bool:
    """Whether those of step ``number`` of the run are recorded: every n-th of a phase, its first and its last."""
    every, done = phase.config.record.advantages_every, number - phase.first_step
    return every > 0 and (done % every == 0 or done == phase.config.rounds.steps - 1)


def _resume(phase: Phase) -> int:
    """Load the newest complete checkpoint of this phase; returns the steps that are done."""
    done, files = 0, phase.files
    for checkpoint in reversed(ranks.from_first(lambda: _complete_checkpoints(files))):
        try:
            phase.tutee.trainer.load(checkpoint)
        except TornCheckpointError:  # by what killed the machine: the one before it is whole
            continue
        done = _step_of(checkpoint)
        break
    for path in files.lines:
        lines = [x for x in store.read_lines(path) if x["step"] < phase.first_step + done]
        if ranks.leads() and path.is_file():
            store.rewrite_lines(path, lines)
        if path == files.steps and lines:
            phase.tutee.away |= lines[-1]["away"]  # who stayed away in this phase is not asked again in it
    return done


def _complete_checkpoints(files: PhaseFiles) -> list[Path]:
    return sorted(filter(store.is_complete, files.checkpoints.glob("step_*[0-9]")), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("_")[2])


def _forget_old(files: PhaseFiles) -> None:
    for old in _complete_checkpoints(files)[:-KEEP_CHECKPOINTS] if ranks.leads() else ():
        shutil.rmtree(old)
