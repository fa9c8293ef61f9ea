"""One training step as a method sees it: the prompts, and what can be done with them.

A method rolls out, asks tutors, and turns what it has into rows; the phase then trains on these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.rendezvous import at_once, seconds
from coopt.core.rng import generator, stable_hash
from coopt.domains.base import Domain, Item
from coopt.domains.reprompt import reprompt
from coopt.graph.topology import REWRITES
from coopt.lm.engines.base import Draws, Engine, Sampling
from coopt.lm.training.base import Trainer, TrainRow
from coopt.methods.rollouts import PLAIN, Context, Rollout, RolloutGroup, Told, rewarded
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.assign import OpenTutor, assign
from coopt.methods.tutors.base import Request, Tutor, TutorAwayError
from coopt.methods.tutors.committee import Said, vote

if TYPE_CHECKING:  # imports torch
    from coopt.lm.policy import Policy

Asked = Literal["critique", "mistakes", "rationale", "judge", "judge_rationale", "judge_rationale_given"]
PARTS = ("rollout", "feedback", "update")


class Clock:
    """Seconds per part of a step."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.started = self._last = seconds()

    def lap(self, name: str) -> None:
        """What has passed since the last call was for this part."""
        now = seconds()
        self.seconds[name] += now - self._last
        self._last = now

    def total(self) -> dict[str, float]:
        """The parts, and all of the step until now."""
        return {**self.seconds, "total": seconds() - self.started}


@dataclass
class Tutee:
    """A student in a round: who it is, and with whom and with what it trains."""

    config: Config
    domains: Mapping[str, Domain]
    name: str
    seed: int
    round: int
    trainer: Trainer
    engine: Engine
    tutors: Mapping[str, Tutor]
    """The models behind ``open_tutors``, by name. Their weights are the trainer's ``peers``, if the method reads these
    (``Trained.reads_peers``)."""
    open_tutors: Sequence[OpenTutor] = ()
    """The round's open edges into the tutee."""
    trained_on: tuple[str, ...] = ()
    """Its training domains; empty: the run's."""
    native: Mapping[str, str] = field(default_factory=dict)
    """Student -> the domain that it starts strong in, of all students."""
    logit_teachers: Mapping[str, str] = field(default_factory=dict)
    """domain -> the peer of the trainer that is its teacher there (``Trained.logit_teachers``)."""
    budget: float = math.inf
    """Tokens that all its steps may cost, where its method is matched to another's."""
    spent: int = 0
    """What its earlier rounds have cost."""
    away: dict[str, str] = field(default_factory=dict)
    """Tutors that stopped answering in this round, and what was the matter."""


@dataclass(frozen=True)
class Learnt:
    """What a method makes of a step: rows to train on, and its report."""

    parts: Sequence[Sequence[TrainRow]]
    """The rows of each optimizer update; a part may be empty."""
    groups: Sequence[RolloutGroup] = ()
    """The rollouts with all that became of them; of a method without rollouts nothing."""
    examples: int = 0
    """What the loss is the mean over: all rollouts, trained on or not; without any, the texts that are imitated."""
    too_long: int = 0
    """Responses left out because prompt and response do not fit the model's context: nothing is cut."""
    texts: Sequence[str] = ()
    """What tutors wrote beside what they told on rollouts, each distinct request once."""
    more_tokens: int = 0
    """Tokens of responses that were drawn beside ``groups``: revisions, peers' rollouts."""
    counts: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs in the step's record."""


@dataclass
class Step:
    """``number``: of the whole run, counted from 0. Nothing that a method does here changes what it has got before."""

    tutee: Tutee
    number: int
    items: Sequence[Item]
    clock: Clock = field(default_factory=Clock)
    past: Sequence[Mapping[str, Any]] = ()
    """The records of the phase's steps before, first to last, also of a phase that was killed."""
    _prompts: dict[tuple[str, Context], tuple[int, ...]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.tutee.config

    @property
    def domains(self) -> Mapping[str, Domain]:
        return self.tutee.domains

    @property
    def policy(self) -> Policy:
        return self.tutee.trainer.policy

    @property
    def reader(self) -> Trainer:
        """The trainer, for what it reads of rows before the update, with the GPU to itself: who asks has done with
        writing, or an engine that sleeps now is woken for the next text."""
        self.tutee.engine.rest()
        return self.tutee.trainer

    def roll_out(self) -> list[RolloutGroup]:
        """n rollouts of each prompt by the tutee, with rewards."""
        prompts = [self.prompt_ids(i) for i in self.items]
        return self.draw(self.tutee.trainer.serving(), self.items, prompts, self.config.rounds.rollouts, "rollout")

    def draw(
        self, policy: Policy, items: Sequence[Item], prompts: Sequence[Sequence[int]], samples: int, *key: str
    ) -> list[RolloutGroup]:
        """What a policy answers after the prompts (token ids, one for each item), with rewards. ``key`` names the
        random numbers; "rollout" alone are those of ``roll_out``."""
        tutee, sampling = self.tutee, self.config.sampling
        tutee.engine.sync(policy)
        how = Sampling(sampling.temperature, sampling.max_response_tokens)
        draws = Draws(generator(tutee.seed, tutee.name, self.number, *key))
        answers = tutee.engine.generate([list(p) for p in prompts], samples, how, draws)
        groups = [
            RolloutGroup(i, tuple(rewarded(self.domains[i.domain], i, prompt, y) for y in ys))
            for i, prompt, ys in zip(items, prompts, answers, strict=True)
        ]
        self.clock.lap("rollout")
        return groups

    def ask_tutors(
        self, groups: Sequence[RolloutGroup], about: Callable[[Rollout], bool] = lambda y: True
    ) -> list[RolloutGroup]:
        """The rollouts with what the open tutors say on them, each on those that it is assigned; filtered, and with
        the rule ``committee`` judged by the others. ``about``: which rollouts anybody is asked about."""
        asked = self._assign(groups)
        told: list[list[list[Told]]] = [[[] for _ in g.rollouts] for g in groups]
        tutors, places, requests = self.tutee.tutors, {}, {}
        for name in tutors:
            mine = [(p, j) for p, row in enumerate(asked) for j, who in enumerate(row) if name in who]
            places[name] = [(p, j) for p, j in mine if about(groups[p].rollouts[j])]
            requests[name] = [
                Request(groups[p].item, groups[p].rollouts[j].shown, self._draw(name, groups[p].item, j))
                for p, j in places[name]
            ]
        answers = at_once([partial(self.ask, name, "critique", requests[name]) for name in tutors])
        for (name, tutor), raws in zip(tutors.items(), answers, strict=True):
            for (p, j), request, raw in zip(places[name], requests[name], raws, strict=True):
                kind = self.domains[request.item.domain].answer
                kept = None if raw is None else filter_feedback(raw, request.item, kind, tutor.style)
                told[p][j].append(Told(name, raw or "", kept, raw is None, rewrite=tutor.style in REWRITES))
        answer = with_told(groups, told)
        if self.config.feedback.assign == "committee":
            said = [(group.item, [y.told for y in group.rollouts]) for group in answer]
            answer = with_told(groups, self.judge(said, self.config.feedback.committee_above))
        self.clock.lap("feedback")
        return answer

    def _draw(self, tutor: str, item: Item, rollout: int) -> int:
        """The seed of a critique that is drawn; 0: greedy."""
        if not self.config.sampling.feedback_temperature:
            return 0
        return stable_hash(self.tutee.seed, self.tutee.name, self.number, tutor, item.id, rollout, "critique")

    def _assign(self, groups: Sequence[RolloutGroup]) -> list[list[tuple[str, ...]]]:
        """Who is asked about which rollout; nobody where s is there, with ``feedback.only_without_own``."""
        tutee, feedback = self.tutee, self.config.feedback
        here = [t for t in tutee.open_tutors if t.name not in tutee.away]
        key = tutee.seed, tutee.name, self.number
        assigned = assign(feedback.assign, [g.item for g in groups], self.config.rounds.rollouts, here, key)
        if not feedback.only_without_own:
            return assigned
        return [
            [() if y.demonstration is not None else who for who, y in zip(row, group.rollouts, strict=True)]
            for row, group in zip(assigned, groups, strict=True)
        ]

    def judge(self, said: Sequence[Said], above: float, how: Asked = "judge") -> list[list[tuple[Told, ...]]]:
        """Messages on each prompt, as the tutee's open tutors judge one another's (``committee.vote``)."""
        return vote(said, self.tutee.open_tutors, lambda name, requests: self.ask(name, how, requests), above)

    def ask(self, name: str, what: Asked, requests: Sequence[Request]) -> list[Any]:
        """What a tutor answers; nothing, from now on in this phase, if it stays away and the run is to go on."""
        tutee = self.tutee
        if requests and name not in tutee.away:
            try:
                tutor = tutee.tutors[name]
                with blame(f"tutor {name}"):
                    return list(getattr(tutor, what)(requests))
            except TutorAwayError as error:
                if self.config.critics.when_unavailable == "stop":
                    raise
                tutee.away[name] = str(error)
        return [None] * len(requests)

    def distil(self, rollouts: Iterable[Rollout]) -> tuple[list[TrainRow], int]:
        """Rows of the rollouts whose self-teacher sees more than the student, and how many of these are too long for
        it (``Learnt.too_long``)."""
        rows, too_long = [], 0
        for y in rollouts:
            if y.context == PLAIN:
                continue
            teacher = self.prompt_ids(y.item, y.context)
            if self.fits(teacher, y.tokens):
                rows.append(plain_row(y)._replace(teacher_prompt=teacher))
            else:
                too_long += 1
        return rows, too_long

    def imitate(self, prompt: Sequence[int], text: str) -> TrainRow | None:
        """``text`` as the response to be written after ``prompt``; None if that is too long for the model."""
        prompt, response = tuple(prompt), self.policy.response_ids(text)
        return TrainRow(prompt, prompt, response) if self.fits(prompt, response) else None

    def fits(self, prompt: Sequence[int], response: Sequence[int]) -> bool:
        """Whether the student's context has room for both."""
        return len(prompt) + len(response) <= self.policy.context_length

    def prompt_ids(self, item: Item, context: Context = PLAIN) -> tuple[int, ...]:
        """The prompt of student or self-teacher."""
        key = item.id, context
        if key not in self._prompts:
            wording = self.domains[item.domain].wording
            text = reprompt(wording, item.prompt, *context, order=self.config.feedback.order)
            self._prompts[key] = tuple(self.policy.prompt_ids(wording, text))
        return self._prompts[key]


def with_told(groups: Sequence[RolloutGroup], told: Sequence[Sequence[Sequence[Told]]]) -> list[RolloutGroup]:
    """The groups, their rollouts with these messages [prompts][rollouts]."""
    return [
        replace(g, rollouts=tuple(replace(y, told=tuple(said)) for y, said in zip(g.rollouts, row, strict=True)))
        for g, row in zip(groups, told, strict=True)
    ]


def plain_row(y: Rollout) -> TrainRow:
    """A rollout whose teacher, if there is one, sees what the student sees."""
    return TrainRow(y.prompt, y.prompt, y.tokens, y.generation.logprobs)
