"""One phase of one tutee: K steps of its method with frozen tutors (paper Algorithm 1).

With several ranks each of them runs all of this alike, and rank 0 writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from coopt.core import store
from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.errors import DamagedError, PluginError
from coopt.core.fault_points import fault_point
from coopt.core.outside.files import decoded, read_bytes
from coopt.core.outside.parse import parse_lines
from coopt.core.phase_files import PhaseFiles
from coopt.core.seals import Seal, read_seal_at, sum_of
from coopt.lm import ranks
from coopt.lm.training.checkpoint import TornCheckpointError
from coopt.lm.training.order import PromptOrder
from coopt.methods.advantages import advantage_records
from coopt.methods.base import Trained
from coopt.methods.records import group_records, step_record
from coopt.methods.scoring import score_policy
from coopt.methods.step import Learnt, Step, Tutee

KEEP_CHECKPOINTS = 2  # the newest may be damaged by what killed the run


@dataclass
class Phase:
    """A tutee, the method by which it trains, and where that is written."""

    tutee: Tutee
    method: Trained
    files: PhaseFiles
    on_step: Callable[[int], None] = lambda tokens: None
    made_from: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of what it trains from and with, for its seal."""
    past: list[dict[str, Any]] = field(default_factory=list)
    """The records of its steps so far."""
    order: PromptOrder = field(init=False)

    def __post_init__(self) -> None:
        who = self.tutee
        self.order = PromptOrder(
            who.domains,
            self.method.trains_on(who),
            who.seed,
            who.name,
            who.native.get(who.name, ""),
            who.config.data.native_share,
        )

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
        phase.past.append(record)
        if ranks.leads():
            store.append_lines(files.steps, [record])
            store.append_lines(files.rollouts, groups)
            fault_point("step")
        if rounds.evaluate_every and (k + 1) % rounds.evaluate_every == 0 and k + 1 < rounds.steps:
            _evaluate(phase, phase.first_step + k)
        if (k + 1) % rounds.checkpoint_every == 0 and k + 1 < rounds.steps:
            _seal_lines(phase, k + 1)
            trainer.save(files.checkpoints / f"step_{k + 1}", background=True)
            _forget_old(files)
        phase.on_step(record["tokens"]["rollout"] + record["tokens"]["feedback"] + record["tokens"]["trained"])
    trainer.settle()
    with ranks.new_directory(files.folder, phase.made_from, files.lines) as temporary:
        trainer.publish(temporary / files.model.name)
        trainer.save(temporary / files.state.name)
    if ranks.leads():
        shutil.rmtree(files.checkpoints, ignore_errors=True)


def train_step(phase: Phase, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One step: the method makes rows of the prompts, the trainer learns them. Returns its record and its rollouts."""
    # With the state carried over, rounds go on in the order of prompts; else each begins it anew.
    restarts = 0 if phase.config.rounds.carry_state else phase.first_step
    tutee = phase.tutee
    items = phase.order.batch(number - restarts, phase.config.rounds.prompts)
    step = Step(tutee, number, items, past=phase.past)
    learnt = phase.method.learn(step)
    check_learnt(phase.method.name, learnt)
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


def check_learnt(method: str, learnt: Learnt) -> None:
    """What a method's ``learn`` returned. Raises ``PluginError``."""
    if not isinstance(learnt, Learnt):
        raise PluginError(f"method {method}: learn returned a {type(learnt).__name__}; expected Learnt(parts, groups).")
    if not learnt.parts:
        raise PluginError(
            f"method {method}: learn returned no parts; expected a list of rows for each update (a part may be empty)."
        )


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
        if ranks.from_first(partial(_lines_until, phase, _step_of(checkpoint))) is None:
            continue
        try:
            phase.tutee.trainer.load(checkpoint)
        except TornCheckpointError:  # by what killed the machine: the one before it is whole
            continue
        done = _step_of(checkpoint)
        break
    _forget_after(files, done)
    found = ranks.from_first(partial(_lines_until, phase, done)) or {}
    for path in files.lines:
        if ranks.leads() and path.is_file():
            store.rewrite_lines(path, found.get(path, []))
    phase.past = found.get(files.steps, [])
    if steps := phase.past:
        phase.tutee.away |= steps[-1]["away"]  # who stayed away in this phase is not asked again in it
    return done


def _seal_lines(phase: Phase, done: int) -> None:
    """Before a checkpoint is there: what was written by then, and what the phase is made from."""
    if ranks.leads():
        whole = {p.name: sum_of(read_bytes(p, None)) for p in phase.files.lines if p.is_file()}
        store.write_json(_seal_of_lines(phase.files, done), Seal(whole, phase.made_from).tree())


def _seal_of_lines(files: PhaseFiles, done: int) -> Path:
    return files.checkpoints / f"lines_{done}.json"


def _lines_until(phase: Phase, done: int) -> dict[Path, list[Any]] | None:
    """The records of the first steps of a phase, file by file; None if a file does not hold what had been written when
    so many were done, or the phase was another one."""
    if not done:
        return {}
    files, found = phase.files, {}
    try:
        seal = read_seal_at(_seal_of_lines(files, done), files.folder)
        if seal and any(seal.made_from.get(k, v) != v for k, v in phase.made_from.items() if v):
            return None
        for path in files.lines:
            content = read_bytes(path, None) if path.is_file() else b""
            if seal and path.name in seal.files:
                was = seal.files[path.name]
                content = content[: was.size]
                if sum_of(content) != was:
                    return None
            records = parse_lines(decoded(content))
            found[path] = [x for x in records if x["step"] < phase.first_step + done]
    except (DamagedError, ValueError, KeyError, TypeError):
        return None
    return found


def _complete_checkpoints(files: PhaseFiles) -> list[Path]:
    return sorted(filter(store.is_complete, files.checkpoints.glob("step_*[0-9]")), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("_")[2])


def _forget_old(files: PhaseFiles) -> None:
    _forget(files, _complete_checkpoints(files)[:-KEEP_CHECKPOINTS] if ranks.leads() else ())


def _forget_after(files: PhaseFiles, done: int) -> None:
    """Those that were not taken: left there, they would count as the newest, or be taken with the next one's seal."""
    _forget(files, [c for c in _complete_checkpoints(files) if _step_of(c) > done] if ranks.leads() else ())


def _forget(files: PhaseFiles, checkpoints: Iterable[Path]) -> None:
    for old in checkpoints:
        shutil.rmtree(old)
        _seal_of_lines(files, _step_of(old)).unlink(missing_ok=True)
