"""What one round on a graph costs at most, from the settings alone: no model is loaded and nothing is measured.

The arithmetic of a run's plan, with the preset's token limits where the plan has measured lengths, every gate open and
no rollout equal to another: an upper bound. ``coopt bench --dry-run`` measures on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from coopt.core.config.schema import Config, Rule
    from coopt.graph.topology import Topology

TOKENS_PER_SECOND = 5000.0
"""Assumed tokens a second of one device, training on them included: a round figure on the safe side. The tiny students
of preset mini reach several times as much on one CPU core (README's table of a step)."""


class RoundCost(NamedTuple):
    """Tokens generated in one round, at most."""

    rollouts: int
    """The students' answers to their training prompts."""
    critiques: int
    """Feedback on them: one critique a rollout, however many tutors a student has; with the rule ``all`` one of every
    tutor, and with ``committee`` a judgement of each of the others besides."""
    scores: int
    """Answers to the validation questions, from which the gates decide."""

    @property
    def tokens(self) -> int:
        return sum(self)

    def device_hours(self, tokens_per_second: float = TOKENS_PER_SECOND) -> float:
        return self.tokens / tokens_per_second / 3600


def round_cost(topology: Topology, config: Config) -> RoundCost:
    """One round of ``config`` on ``topology``: steps x prompts x rollouts answers and critiques for each student."""
    r, s = config.rounds, config.sampling
    rollouts = r.steps * r.prompts * r.rollouts
    # A round of a graph that changes has as many tutored students as any other.
    first = topology.in_round(1, config.seed)
    messages = sum(
        messages_a_rollout(len(first.tutors_of(student)), config.feedback.assign) for student in first.students
    )
    students = len(topology.students)
    questions = len(config.domains) * config.data.validation
    return RoundCost(
        rollouts=students * rollouts * s.max_response_tokens,
        critiques=messages * rollouts * s.max_feedback_tokens,
        scores=students * questions * s.eval_samples * s.max_response_tokens,
    )


def messages_a_rollout(tutors: int, rule: Rule) -> int:
    """Texts that tutors write about one rollout."""
    return tutors if rule in ("all", "committee") else min(1, tutors)
