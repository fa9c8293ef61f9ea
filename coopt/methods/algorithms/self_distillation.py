"""On-policy self-distillation (paper Eq. 1): the step that its methods share.

L = E_{y ~ student(.|x)} [ (1/|y|) sum_t D( student(.|x, y_<t) || stop-gradient self-teacher(.|x, c, y_<t) ) ]

What differs between methods is c, which the self-teacher sees beyond the question x.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coopt.methods.base import Context, Messages, RolloutGroup, Told, Trained, earliest_correct, heard, rewritten

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.objectives import Objective
    from coopt.methods.step import Step


class SelfDistillation(Trained):
    """c = (s, f): an own correct rollout, and what tutors said."""

    def learn(self, step: Step) -> list[list[TrainRow]]:
        groups = step.roll_out()
        demonstrations = [self.demonstrations(g, step.config.rounds.exclude_self) for g in groups]
        messages = self.deliver(step.ask_tutors(demonstrations))
        rows = [
            step.row(group.item, y, self.context(s, said))
            for group, row, told in zip(groups, demonstrations, messages, strict=True)
            for y, s, said in zip(group.rollouts, row, told, strict=True)
        ]
        return [[row for row in rows if row is not None]]

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        """s for each rollout of a group, None where there is none."""
        return earliest_correct(group, exclude_self)

    def deliver(self, messages: Messages) -> Messages:
        """Who gets which feedback: [prompts][rollouts] as the tutors wrote it -> as the teacher reads it."""
        return messages

    def context(self, demonstration: str | None, said: Sequence[Told]) -> Context:
        """c of one rollout. A solution that a tutor handed over is about this very rollout: it takes the place of s."""
        return Context(rewritten(said) or demonstration, heard(said))

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.objectives import Distil

        return Distil(Divergence(config.loss.alpha, config.loss.top_k, config.loss.tail))
