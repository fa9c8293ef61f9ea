"""One phase of one tutee: K steps of on-policy self-distillation with frozen tutors (paper Algorithm 1).

With several ranks each of them runs all of this alike, and rank 0 writes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coopt.config.schema import Config
from coopt.domains.base import Domain, Item
from coopt.engine.base import Engine, Sampling
from coopt.feedback.anchor import filter_feedback
from coopt.feedback.assign import Assigned, OpenTutor, assign
from coopt.feedback.committee import vote
from coopt.feedback.reprompt import reprompt
from coopt.feedback.tutors import Request, Tutor, TutorAwayError
from coopt.methods.base import Context, Messages, Method, RolloutGroup, Told, heard
from coopt.records import Clock, group_record, step_record
from coopt.rng import generator
from coopt.running import store
from coopt.running.blame import blame
from coopt.running.faults import fault_point
from coopt.training import ranks
from coopt.training.base import Trainer, TrainRow
from coopt.training.checkpoint import TornCheckpointError
from coopt.training.order import PromptOrder

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


def train_step(phase: Phase, step: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One step: rollouts, demonstrations, feedback, update. Returns its record and its rollouts."""
    clock, policy = Clock(), phase.trainer.policy
    restarts = 0 if phase.config.rounds.carry_state else phase.first_step
    items = phase.order.batch(step - restarts, phase.config.rounds.prompts)
    groups = roll_out(phase, items, step)
    clock.lap("rollout")
    demonstrations = [phase.method.demonstrations(g, phase.config.rounds.exclude_self) for g in groups]
    told = collect_feedback(phase, groups, assign_tutors(phase, groups, demonstrations, step))
    clock.lap("feedback")
    phase.engine.rest()
    rows, too_long = train_rows(phase, groups, demonstrations, phase.method.deliver(told))
    with blame(f"tutee {phase.tutee}"):
        stats = phase.trainer.update(rows, rollouts=sum(len(g.rollouts) for g in groups))
    clock.lap("update")
    record = step_record(step, groups, told, stats, clock, list(phase.tutors), policy.tokenizer)
    record |= {"too_long": too_long, "no_target": record["rollouts"] - stats.active_rows, "away": dict(phase.away)}
    return record, [group_record(step, *parts) for parts in zip(groups, demonstrations, told, strict=True)]


def roll_out(phase: Phase, items: Sequence[Item], step: int) -> list[RolloutGroup]:
    """n rollouts of each prompt by the tutee, with rewards."""
    policy, config = phase.trainer.policy, phase.config
    phase.engine.sync(phase.trainer.serving())
    prompts = [policy.prompt_ids(phase.domains[i.domain].wording, i.prompt) for i in items]
    how = Sampling(config.sampling.temperature, config.sampling.max_response_tokens)
    rng = generator(phase.seed, phase.tutee, step, "rollout")
    answers = phase.engine.generate(prompts, config.rounds.rollouts, how, rng)
    return [
        RolloutGroup(i, rollouts, [phase.domains[i.domain].score(y.text, i) for y in rollouts])
        for i, rollouts in zip(items, answers, strict=True)
    ]


def assign_tutors(
    phase: Phase, groups: Sequence[RolloutGroup], demonstrations: Sequence[Sequence[str | None]], step: int
) -> Assigned:
    """Who is asked about which rollout; nobody where s is there, with ``feedback.only_without_own``."""
    here = [t for t in phase.open_tutors if t.name not in phase.away]
    feedback, n = phase.config.feedback, phase.config.rounds.rollouts
    assigned = assign(feedback.assign, [g.item for g in groups], n, here, (phase.seed, phase.tutee, step))
    if not feedback.only_without_own:
        return assigned
    return [
        [() if s is not None else who for who, s in zip(row, demos, strict=True)]
        for row, demos in zip(assigned, demonstrations, strict=True)
    ]


def collect_feedback(phase: Phase, groups: Sequence[RolloutGroup], assigned: Assigned) -> Messages:
    """Ask each tutor once for all its rollouts, filter what it says, and put it where it belongs."""
    told: list[list[list[Told]]] = [[[] for _ in row] for row in assigned]
    for name, tutor in phase.tutors.items():
        places = [(p, j) for p, row in enumerate(assigned) for j, who in enumerate(row) if name in who]
        requests = [Request(groups[p].item, groups[p].rollouts[j].text) for p, j in places]
        for (p, j), request, raw in zip(places, requests, _asked(phase, name, "critique", requests), strict=True):
            kind = phase.domains[request.item.domain].answer
            kept = None if raw is None else filter_feedback(raw, request.item, kind, tutor.style)
            told[p][j].append(Told(name, raw or "", kept, raw is None))
    messages = [[tuple(said) for said in row] for row in told]
    if phase.config.feedback.assign == "committee":
        above = phase.config.feedback.committee_above
        messages = vote(messages, groups, phase.open_tutors, lambda name, r: _asked(phase, name, "judge", r), above)
    return messages


def _asked(phase: Phase, name: str, what: Literal["critique", "judge"], requests: Sequence[Request]) -> list[Any]:
    """What a tutor answers; nothing, from now on in this phase, if it stays away and the run is to go on."""
    if requests and name not in phase.away:
        try:
            tutor = phase.tutors[name]
            with blame(f"tutor {name}"):
                return list(tutor.critique(requests) if what == "critique" else tutor.judge(requests))
        except TutorAwayError as error:
            if phase.config.critics.when_unavailable == "stop":
                raise
            phase.away[name] = str(error)
    return [None] * len(requests)


def train_rows(
    phase: Phase,
    groups: Sequence[RolloutGroup],
    demonstrations: Sequence[Sequence[str | None]],
    messages: Messages,
) -> tuple[list[TrainRow], int]:
    """Rows with a target: rollouts with s or f. Also how many were left out because the teacher's prompt and
    the response do not fit the model's context (nothing is cut)."""
    policy = phase.trainer.policy
    rows: list[TrainRow] = []
    too_long = 0
    prompts: dict[tuple[str, Context], tuple[int, ...]] = {}
    for group, demos, told in zip(groups, demonstrations, messages, strict=True):
        wording = phase.domains[group.item.domain].wording
        for y, s, said in zip(group.rollouts, demos, told, strict=True):
            context = Context(s, heard(said))
            if context == Context(None, None):
                continue
            for c in (context, Context(None, None)):
                if (group.item.id, c) not in prompts:
                    text = reprompt(wording, group.item.prompt, *c)
                    prompts[group.item.id, c] = tuple(policy.prompt_ids(wording, text))
            teacher = prompts[group.item.id, context]
            if len(teacher) + len(y.tokens) > policy.context_length:
                too_long += 1
                continue
            rows.append(TrainRow(prompts[group.item.id, Context(None, None)], teacher, y.tokens, y.logprobs))
    return rows, too_long


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
    for name in ("steps", "rollouts"):
        path = phase.directory.with_name(f"{phase.tutee}.{name}.jsonl")
        lines = [x for x in store.read_lines(path) if x["step"] < phase.first_step + done]
        if ranks.leads():
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
