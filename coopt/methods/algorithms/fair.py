"""FAIR, learning from a committee (arXiv 2410.03663): mistakes explained, and rationales that passed a peer review.

L = mean over training items of alpha CE(feedback | x, y, hint) + (1 - alpha) CE(rationale | x), where CE is the mean
over a text's tokens, y a wrong rollout of x, and hint the worked solution of x. Every critic tells what is wrong in y,
given x, y and hint, and writes a rationale from x alone. A rationale is accepted if the mean score that the other
critics give it exceeds a bound. Each wrong rollout of a question with an accepted rationale is a training item: one of
its feedbacks and one of the accepted rationales, each drawn at random ("mixed" in the paper).

Decided here: the mistakes are those of every step's rollouts, not of one pass over the data; a rationale without a
readable score is not accepted. Judges see the worked solution, as in the paper (``options.fair.judges_see_solution``);
those of the embedded world never learnt to read it and judge by what they know. What is written is learnt as it is:
neither sanitised nor anchored, because the student reads the hint beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
from pydantic import Field

from coopt.core.config.schema import Config, GateConfig
from coopt.core.config.section import Section
from coopt.core.rng import generator
from coopt.domains.base import Item
from coopt.domains.wording import fill
from coopt.graph.topology import Edge, Topology
from coopt.lm.training.base import TrainRow
from coopt.methods.algorithms.critics import with_critics
from coopt.methods.base import Trained, method
from coopt.methods.rollouts import RolloutGroup, Told
from coopt.methods.step import Asked, Learnt, Step, with_told
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import Request, read_score
from coopt.methods.tutors.committee import author_counts

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective

_CRITICS = 3  # the paper's


class FAIROptions(Section):
    """Settings of FAIR."""

    alpha: float = Field(0.5, ge=0, le=1)
    """Weight of the feedback's loss; the rationale's is 1 - alpha."""
    above: float = Field(3.0, ge=1, lt=5)
    """A rationale is accepted if its mean score is above this."""
    judges_see_solution: bool = True
    """Whether the right solution lies before those who judge a rationale."""


class TrainingItem(NamedTuple):
    """Prompt and number of a wrong rollout, and what is learnt of it."""

    prompt: int
    rollout: int
    feedback: Told
    rationale: Told


Rationales = Sequence[Sequence[Told]]
"""What each critic wrote on each prompt with a wrong rollout [prompts][critics]."""


@method
class FAIR(Trained):
    """A committee of frozen critics: the run's, if each student has two that review one another, else three more."""

    name = "fair"
    description = "learning from a committee of critics: mistakes explained, rationales reviewed by the other critics"
    against = ("critic_step",)
    adversaries = True
    informed = True
    Options = FAIROptions

    def messages(self, config: Config, tutors: int) -> float:
        """If half of the rollouts are wrong: an explanation of each of them, and for every prompt a rationale and its
        judgements."""
        return tutors / 2 + tutors**2 / config.rounds.rollouts

    def graph(self, topology: Topology) -> Topology:
        if not all(_is_committee(topology, student) for student in topology.students):
            topology = replace(topology, graph=nx.create_empty_copy(topology.graph), settings={})
        return with_critics(topology, _CRITICS)

    def gates(self, topology: Topology, default: GateConfig) -> Mapping[Edge, GateConfig]:
        """No gate, whatever an edge says: the committee itself decides what is handed on."""
        return {edge: default.model_copy(update={"kind": "always"}) for edge in topology.edges}

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import Imitate

        return Imitate()

    def learn(self, step: Step) -> Learnt:
        groups, written = consult(step, step.roll_out())
        how: Asked = "judge_rationale_given" if self.options.judges_see_solution else "judge_rationale"
        judged = step.judge([(g.item, [own]) for g, own in zip(groups, written, strict=True)], self.options.above, how)
        rationales = [own for (own,) in judged]
        step.clock.lap("feedback")
        taught, rows, too_long = [], [], 0
        for training_item in draw(step, groups, rationales):
            made = self.rows(step, groups[training_item.prompt], training_item)
            too_long += [row for _, row in made].count(None)
            kept = [row._replace(weight=weight) for weight, row in made if row is not None and weight]
            # Both texts or none: half a training item would shift alpha.
            if kept and all(row is not None for _, row in made):
                taught.append(training_item)
                rows += kept
        return Learnt(
            [rows],
            _with_notes(groups, rationales, taught),
            examples=len(taught),
            too_long=too_long,
            texts=_texts(rationales),
            counts={"committee": self.committee_counts(step, groups, rationales, taught)},
        )

    def rows(self, step: Step, group: RolloutGroup, chosen: TrainingItem) -> list[tuple[float, TrainRow | None]]:
        """Both texts with their weights; None for one that is too long for the student."""
        explained = explanation_prompt(step, group.item, group.rollouts[chosen.rollout].shown)
        return [
            (self.options.alpha, step.imitate(explained, chosen.feedback.text or "")),
            (1 - self.options.alpha, step.imitate(step.prompt_ids(group.item), chosen.rationale.text or "")),
        ]

    def committee_counts(
        self, step: Step, groups: Sequence[RolloutGroup], rationales: Rationales, taught: Sequence[TrainingItem]
    ) -> dict[str, Any]:
        """The review in numbers, for the step's record."""
        by_author = {name: [r for own in rationales for r in own if r.tutor == name] for name in step.tutee.tutors}
        return {
            "mistakes": sum(not y.correct for group in groups for y in group.rollouts),
            "training_items": len(taught),
            "rationales": {name: author_counts(own, self.options.above) for name, own in by_author.items()},
        }


def _is_committee(topology: Topology, student: str) -> bool:
    """At least two critics tutor the student, and each is reviewed by another of them."""
    critics = {t for t in topology.tutors_of(student) if topology.nodes[t].role == "critic"}
    return len(critics) > 1 and all(critics & set(topology.reviewers_of(c)) for c in critics)


def consult(step: Step, groups: Sequence[RolloutGroup]) -> tuple[list[RolloutGroup], Rationales]:
    """Every critic explains every wrong rollout, and writes a rationale of every question with one: the rollouts with
    what was told on them, and the rationales."""
    told: list[list[list[Told]]] = [[[] for _ in g.rollouts] for g in groups]
    rationales: list[list[Told]] = [[] for _ in groups]
    mistakes = [(p, j) for p, g in enumerate(groups) for j, y in enumerate(g.rollouts) if not y.correct]
    attempts = [Request(groups[p].item, groups[p].rollouts[j].shown) for p, j in mistakes]
    asked = list(dict.fromkeys(p for p, _ in mistakes))
    questions = [Request(groups[p].item, "") for p in asked]
    for name in step.tutee.tutors:
        for (p, j), raw in zip(mistakes, step.ask(name, "mistakes", attempts), strict=True):
            told[p][j].append(_told(step, name, groups[p].item, raw))
        for p, raw in zip(asked, step.ask(name, "rationale", questions), strict=True):
            rationales[p].append(_told(step, name, groups[p].item, raw))
    return with_told(groups, told), rationales


def _told(step: Step, name: str, item: Item, raw: str | None) -> Told:
    """What a critic wrote, as it is: only what is empty is dropped."""
    kind = step.domains[item.domain].answer
    return Told(name, raw or "", None if raw is None else filter_feedback(raw, item, kind, "reference"), raw is None)


def draw(step: Step, groups: Sequence[RolloutGroup], rationales: Rationales) -> list[TrainingItem]:
    """The training items of a step. Each mistake has a generator of its own, so that its draw hangs on no other's."""
    training_items = []
    for p, group in enumerate(groups):
        accepted = [r for r in rationales[p] if r.accepted]
        for j, y in enumerate(group.rollouts):
            explained = [m for m in y.told if m.text is not None]
            if not y.correct and explained and accepted:
                # Keyed by question and rollout: another mistake more or less changes no other draw.
                rng = generator(step.tutee.seed, step.tutee.name, step.number, group.item.id, j, "fair")
                first, second = rng.integers(len(explained)), rng.integers(len(accepted))
                training_items.append(TrainingItem(p, j, explained[first], accepted[second]))
    return training_items


def explanation_prompt(step: Step, item: Item, response: str) -> list[int]:
    """What the student reads before the feedback that it is to imitate: what the critic read."""
    wording = step.domains[item.domain].wording
    user = fill(wording.naive_given, question=item.prompt, response=response, solution=item.solution or "")
    return step.policy.prompt_ids(wording, user, system=False)


def _with_notes(
    groups: Sequence[RolloutGroup], rationales: Rationales, taught: Sequence[TrainingItem]
) -> list[RolloutGroup]:
    """The review beside each prompt's rollouts: texts, scores, and what became a training item."""
    return [
        replace(
            group,
            notes={
                "rationales": [_rationale_record(r) for r in own],
                "training_items": [
                    {"rollout": x.rollout, "feedback": x.feedback.tutor, "rationale": x.rationale.tutor}
                    for x in taught
                    if x.prompt == p
                ],
            },
        )
        for p, (group, own) in enumerate(zip(groups, rationales, strict=True))
    ]


def _texts(rationales: Rationales) -> list[str]:
    """Everything written in the review."""
    every = [r for own in rationales for r in own]
    return [text for r in every for text in (r.raw, *(judgement for _, judgement in r.judgements))]


def _rationale_record(rationale: Told) -> dict[str, Any]:
    return {
        "tutor": rationale.tutor,
        "raw": rationale.raw,
        "score": rationale.score,
        "accepted": rationale.accepted,
        "judgements": [{"judge": judge, "raw": raw, "score": read_score(raw)} for judge, raw in rationale.judgements],
    }
