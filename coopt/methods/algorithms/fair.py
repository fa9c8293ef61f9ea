"""FAIR, learning from a committee (arXiv 2410.03663): mistakes explained, and rationales that passed a peer review.

L = mean over training items of alpha CE(feedback | x, y, hint) + (1 - alpha) CE(rationale | x), where CE is the mean
over a text's tokens, y a wrong rollout of x, and hint the worked solution of x. Every critic tells what is wrong in y,
given x, y and hint, and writes a rationale from x alone. A rationale is accepted if the mean score that the other
critics give it exceeds a bound. Each wrong rollout of a question with an accepted rationale is a training item: one of
its feedbacks and one of the accepted rationales, each drawn at random ("mixed" in the paper).

Decided here: the mistakes are those of every step's rollouts, not of one pass over the data; the judges do not see
the worked solution (judges who do are lenient); a rationale without a readable score is not accepted. What is written
is learnt as it is: neither sanitised nor anchored, because the student reads the hint beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
from pydantic import Field

from coopt.core.config.section import Section
from coopt.core.rng import generator
from coopt.domains.base import Item
from coopt.domains.wording import fill
from coopt.graph.topology import Edge, Topology
from coopt.methods.algorithms.critics import with_critics
from coopt.methods.base import SUCCESS, Told, Trained, method
from coopt.methods.tutors.anchor import filter_feedback
from coopt.methods.tutors.base import Request, read_score
from coopt.methods.tutors.committee import vote
from coopt.runs.measures.acceptance import author_counts, is_accepted

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, GateConfig
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.objectives import Objective
    from coopt.methods.step import Step

_CRITICS = 3  # the paper's


class FAIROptions(Section):
    """Settings of FAIR."""

    alpha: float = Field(0.5, ge=0, le=1)
    """Weight of the feedback's loss; the rationale's is 1 - alpha."""
    above: float = Field(3.0, ge=1, lt=5)
    """A rationale is accepted if its mean score is above this."""


class TrainingItem(NamedTuple):
    """Prompt and number of a wrong rollout, and what is learnt of it."""

    prompt: int
    rollout: int
    feedback: Told
    rationale: Told


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

    def learn(self, step: Step) -> list[list[TrainRow]]:
        wrong = [[j for j, reward in enumerate(g.rewards) if reward < SUCCESS] for g in step.roll_out()]
        rationales = self.review(step, consult(step, wrong))
        step.clock.lap("feedback")
        taught = [(x, rows) for x in draw(step, wrong, rationales) if (rows := self.rows(step, x))]
        step.examples = len(taught)
        self.write_down(step, wrong, rationales, [x for x, _ in taught])
        return [[row for _, rows in taught for row in rows]]

    def review(self, step: Step, rationales: Sequence[Sequence[Told]]) -> list[tuple[Told, ...]]:
        """The rationales of each prompt with what the other critics gave them."""
        judges, above = step.phase.open_tutors, self.options.above
        written = [[tuple(own)] for own in rationales]
        judged = vote(written, step.groups, judges, lambda name, r: step.ask(name, "judge", r), above)
        return [own for (own,) in judged]

    def rows(self, step: Step, chosen: TrainingItem) -> list[TrainRow]:
        """Both texts with their weights; none if one of them is too long for the student."""
        group = step.groups[chosen.prompt]
        explained = explanation_prompt(step, group.item, group.rollouts[chosen.rollout].text)
        made = [
            (self.options.alpha, step.imitate(explained, chosen.feedback.text or "")),
            (1 - self.options.alpha, step.imitate(step.prompt_ids(group.item), chosen.rationale.text or "")),
        ]
        if any(row is None for _, row in made):
            return []
        return [row._replace(weight=weight) for weight, row in made if row is not None and weight]

    def write_down(
        self,
        step: Step,
        wrong: Sequence[Sequence[int]],
        rationales: Sequence[Sequence[Told]],
        training_items: Sequence[TrainingItem],
    ) -> None:
        """Leave the review in the step: texts and scores beside each prompt's rollouts, and their counts."""
        step.notes = [
            {
                "rationales": [_rationale_record(r) for r in own],
                "training_items": [
                    {"rollout": x.rollout, "feedback": x.feedback.tutor, "rationale": x.rationale.tutor}
                    for x in training_items
                    if x.prompt == p
                ],
            }
            for p, own in enumerate(rationales)
        ]
        every = [r for own in rationales for r in own]
        step.texts = [text for r in every for text in (r.raw, *(judgement for _, judgement in r.judgements))]
        by_author = {name: [r for r in every if r.tutor == name] for name in step.phase.tutors}
        step.counts = {
            "committee": {
                "mistakes": sum(map(len, wrong)),
                "training_items": len(training_items),
                "rationales": {name: author_counts(own, self.options.above) for name, own in by_author.items()},
            }
        }


def _is_committee(topology: Topology, student: str) -> bool:
    """At least two critics tutor the student, and each is reviewed by another of them."""
    critics = {t for t in topology.tutors_of(student) if topology.nodes[t].role == "critic"}
    return len(critics) > 1 and all(critics & set(topology.reviewers_of(c)) for c in critics)


def consult(step: Step, wrong: Sequence[Sequence[int]]) -> list[list[Told]]:
    """Every critic explains every wrong rollout (kept in ``step.told``) and writes a rationale of every question with
    one; returned prompt by prompt. ``wrong``: the numbers of the wrong rollouts, prompt by prompt."""
    told: list[list[list[Told]]] = [[[] for _ in g.rollouts] for g in step.groups]
    rationales: list[list[Told]] = [[] for _ in step.groups]
    for name in step.phase.tutors:
        mistakes = [(p, j) for p, own in enumerate(wrong) for j in own]
        attempts = [Request(step.groups[p].item, step.groups[p].rollouts[j].text) for p, j in mistakes]
        for (p, j), raw in zip(mistakes, step.ask(name, "mistakes", attempts), strict=True):
            told[p][j].append(_told(step, name, step.groups[p].item, raw))
        asked = [p for p, own in enumerate(wrong) if own]
        questions = [Request(step.groups[p].item, "") for p in asked]
        for p, raw in zip(asked, step.ask(name, "rationale", questions), strict=True):
            rationales[p].append(_told(step, name, step.groups[p].item, raw))
    step.told = [[tuple(said) for said in row] for row in told]
    return rationales


def _told(step: Step, name: str, item: Item, raw: str | None) -> Told:
    """What a critic wrote, as it is: only what is empty is dropped."""
    kind = step.domains[item.domain].answer
    return Told(name, raw or "", None if raw is None else filter_feedback(raw, item, kind, "reference"), raw is None)


def draw(step: Step, wrong: Sequence[Sequence[int]], rationales: Sequence[Sequence[Told]]) -> list[TrainingItem]:
    """The training items of a step. Each mistake has a generator of its own, so that its draw hangs on no other's."""
    training_items = []
    for p, group in enumerate(step.groups):
        accepted = [r for r in rationales[p] if is_accepted(r)]
        for j in wrong[p]:
            explained = [m for m in step.told[p][j] if m.text is not None]
            rng = generator(step.phase.seed, step.phase.tutee, step.number, group.item.id, j, "fair")
            if explained and accepted:
                first, second = rng.integers(len(explained)), rng.integers(len(accepted))
                training_items.append(TrainingItem(p, j, explained[first], accepted[second]))
    return training_items


def explanation_prompt(step: Step, item: Item, response: str) -> list[int]:
    """What the student reads before the feedback that it is to imitate: what the critic read."""
    wording = step.domains[item.domain].wording
    user = fill(wording.naive_given, question=item.prompt, response=response, solution=item.solution or "")
    return step.policy.prompt_ids(wording, user, system=False)


def _rationale_record(rationale: Told) -> dict[str, Any]:
    return {
        "tutor": rationale.tutor,
        "raw": rationale.raw,
        "score": rationale.score,
        "accepted": is_accepted(rationale),
        "judgements": [{"judge": judge, "raw": raw, "score": read_score(raw)} for judge, raw in rationale.judgements],
    }
