"""One training step as a method sees it: the prompts, and what can be done with them.

A method rolls out, asks tutors, and turns what it has into rows; the phase then trains on these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from coopt.core.blame import blame
from coopt.core.config.schema import Config
from coopt.core.rng import generator
from coopt.domains.base import Domain, Item
from coopt.domains.reprompt import reprompt
from coopt.graph.topology import REWRITES
from coopt.lm.engines.base import Generation, Sampling
from coopt.lm.training.base import TrainRow
from coopt.methods.base import Context, Messages, RolloutGroup, Told
from coopt.methods.records import Clock
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.assign import Assigned, assign
from coopt.methods.tutors.base import Request, TutorAwayError
from coopt.methods.tutors.committee import vote

if TYPE_CHECKING:
    from coopt.lm.policy import Policy
    from coopt.methods.phase import Phase

_PLAIN = Context(None, None)
Asked = Literal["critique", "mistakes", "rationale", "judge"]


@dataclass
class Step:
    """``number``: of the whole run, counted from 0. What the tutee does and hears is kept for the step's record."""

    phase: Phase
    number: int
    items: Sequence[Item]
    clock: Clock = field(default_factory=Clock)
    groups: list[RolloutGroup] = field(default_factory=list)
    demonstrations: Sequence[Sequence[str | None]] = ()
    told: Messages = field(default_factory=list)
    too_long: int = 0
    """Rollouts left out because the teacher's prompt and the response do not fit the model's context: nothing is
    cut."""
    examples: int = 0
    """What the loss is the mean over: all rollouts, trained on or not; without any, the texts that are imitated."""
    counts: dict[str, Any] = field(default_factory=dict)
    """What else the method wants in the step's record."""
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What else it wants kept beside the rollouts of each prompt."""
    texts: list[str] = field(default_factory=list)
    """What tutors wrote beside ``told``, each distinct request once."""
    _prompts: dict[tuple[str, Context], tuple[int, ...]] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        return self.phase.config

    @property
    def domains(self) -> Mapping[str, Domain]:
        return self.phase.domains

    @property
    def policy(self) -> Policy:
        return self.phase.trainer.policy

    def roll_out(self) -> list[RolloutGroup]:
        """n rollouts of each prompt by the tutee, with rewards."""
        phase, config = self.phase, self.config
        phase.engine.sync(phase.trainer.serving())
        prompts = [list(self.prompt_ids(i)) for i in self.items]
        how = Sampling(config.sampling.temperature, config.sampling.max_response_tokens)
        rng = generator(phase.seed, phase.tutee, self.number, "rollout")
        answers = phase.engine.generate(prompts, config.rounds.rollouts, how, rng)
        self.groups = [
            RolloutGroup(i, rollouts, [self.domains[i.domain].score(y.text, i) for y in rollouts])
            for i, rollouts in zip(self.items, answers, strict=True)
        ]
        self.demonstrations = [[None] * len(g.rollouts) for g in self.groups]
        self.told = [[()] * len(g.rollouts) for g in self.groups]
        self.examples = sum(len(g.rollouts) for g in self.groups)
        self.clock.lap("rollout")
        return self.groups

    def ask_tutors(self, demonstrations: Sequence[Sequence[str | None]]) -> Messages:
        """What the open tutors say on the rollouts, each on those that it is assigned."""
        self.demonstrations = demonstrations
        self.told = self.collect_feedback(self.assign_tutors(demonstrations))
        self.clock.lap("feedback")
        return self.told

    def assign_tutors(self, demonstrations: Sequence[Sequence[str | None]]) -> Assigned:
        """Who is asked about which rollout; nobody where s is there, with ``feedback.only_without_own``."""
        phase, feedback = self.phase, self.config.feedback
        here = [t for t in phase.open_tutors if t.name not in phase.away]
        key = phase.seed, phase.tutee, self.number
        assigned = assign(feedback.assign, [g.item for g in self.groups], self.config.rounds.rollouts, here, key)
        if not feedback.only_without_own:
            return assigned
        return [
            [() if s is not None else who for who, s in zip(row, demos, strict=True)]
            for row, demos in zip(assigned, demonstrations, strict=True)
        ]

    def collect_feedback(self, assigned: Assigned) -> Messages:
        """Ask each tutor once for all its rollouts, filter what it says, and put it where it belongs."""
        told: list[list[list[Told]]] = [[[] for _ in row] for row in assigned]
        for name, tutor in self.phase.tutors.items():
            places = [(p, j) for p, row in enumerate(assigned) for j, who in enumerate(row) if name in who]
            requests = [Request(self.groups[p].item, self.groups[p].rollouts[j].text) for p, j in places]
            for (p, j), request, raw in zip(places, requests, self.ask(name, "critique", requests), strict=True):
                kind = self.domains[request.item.domain].answer
                kept = None if raw is None else filter_feedback(raw, request.item, kind, tutor.style)
                told[p][j].append(Told(name, raw or "", kept, raw is None, rewrite=tutor.style in REWRITES))
        messages: Messages = [[tuple(said) for said in row] for row in told]
        if self.config.feedback.assign == "committee":
            above = self.config.feedback.committee_above
            judges = self.phase.open_tutors
            messages = vote(messages, self.groups, judges, lambda name, r: self.ask(name, "judge", r), above)
        return messages

    def ask(self, name: str, what: Asked, requests: Sequence[Request]) -> list[Any]:
        """What a tutor answers; nothing, from now on in this phase, if it stays away and the run is to go on."""
        phase = self.phase
        if requests and name not in phase.away:
            try:
                tutor = phase.tutors[name]
                with blame(f"tutor {name}"):
                    return list(getattr(tutor, what)(requests))
            except TutorAwayError as error:
                if self.config.critics.when_unavailable == "stop":
                    raise
                phase.away[name] = str(error)
        return [None] * len(requests)

    def row(self, item: Item, y: Generation, context: Context) -> TrainRow | None:
        """A rollout with its self-teacher; None if the teacher would see no more than the student, or too much."""
        if context == _PLAIN:
            return None
        teacher = self.prompt_ids(item, context)
        if not self.fits(teacher, y.tokens):
            return None
        return self.plain_row(item, y)._replace(teacher_prompt=teacher)

    def plain_row(self, item: Item, y: Generation) -> TrainRow:
        """A rollout whose teacher, if there is one, sees what the student sees."""
        return TrainRow(self.prompt_ids(item), self.prompt_ids(item), y.tokens, y.logprobs)

    def imitate(self, prompt: Sequence[int], text: str) -> TrainRow | None:
        """``text`` as the response to be written after ``prompt``; None if the model cannot read both."""
        prompt, response = tuple(prompt), self.policy.response_ids(text)
        return TrainRow(prompt, prompt, response) if self.fits(prompt, response) else None

    def fits(self, prompt: Sequence[int], response: Sequence[int]) -> bool:
        """Whether the model can read both, counted in ``too_long`` if not."""
        fitting = len(prompt) + len(response) <= self.policy.context_length
        self.too_long += not fitting
        return fitting

    def prompt_ids(self, item: Item, context: Context = _PLAIN) -> tuple[int, ...]:
        """The prompt of student or self-teacher."""
        key = item.id, context
        if key not in self._prompts:
            wording = self.domains[item.domain].wording
            self._prompts[key] = tuple(self.policy.prompt_ids(wording, reprompt(wording, item.prompt, *context)))
        return self._prompts[key]
