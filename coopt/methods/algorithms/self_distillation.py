"""On-policy self-distillation (paper Eq. 1): the step that its methods share.

L = E_{y ~ student(.|x)} [ (1/|y|) sum_t D( student(.|x, y_<t) || stop-gradient self-teacher(.|x, c, y_<t) ) ]

What differs between methods is c, which the self-teacher sees beyond the question x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from coopt.core.config.schema import Config
from coopt.core.errors import PluginError
from coopt.methods.base import Trained
from coopt.methods.rollouts import (
    Context,
    Rollout,
    RolloutGroup,
    Told,
    all_rollouts,
    earliest_correct,
    heard,
    rewritten,
)
from coopt.methods.step import Learnt, Step

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class SelfDistillation(Trained):
    """c = (s, f): an own correct rollout, and what tutors said."""

    def learn(self, step: Step) -> Learnt:
        exclude_self = step.config.rounds.exclude_self
        groups = step.ask_tutors([self._with_demonstrations(g, exclude_self) for g in step.roll_out()])
        # What is recorded is what was written on a rollout; what its teacher reads may be another's (``shuffled``).
        read = self._delivered(groups)
        groups = [self._with_contexts(group, told) for group, told in zip(groups, read, strict=True)]
        rollouts = all_rollouts(groups)
        # examples counts all rollouts: those without a context are part of the mean, with a loss of 0 (Eq. 1).
        rows, too_long = step.distil(rollouts)
        return Learnt([rows], groups, examples=len(rollouts), too_long=too_long)

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        """s for each rollout of a group, None where there is none."""
        return earliest_correct(group, exclude_self)

    def deliver(self, told: Sequence[Sequence[Sequence[Told]]]) -> Sequence[Sequence[Sequence[Told]]]:
        """Who gets which feedback, ``[prompts][rollouts][messages]``: as tutors wrote it -> as the teacher reads it."""
        return told

    def context(self, demonstration: str | None, told: Sequence[Told]) -> Context:
        """c of one rollout. A solution that a tutor handed over is about this very rollout: it takes the place of s."""
        return Context(rewritten(told) or demonstration, heard(told))

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.objectives import Distil

        return Distil(Divergence(config.loss.alpha, config.loss.top_k, config.loss.tail))

    def _delivered(self, groups: Sequence[RolloutGroup]) -> Sequence[Sequence[Sequence[Told]]]:
        """Raises ``PluginError`` if not every rollout gets its messages."""
        read = self.deliver([[y.told for y in group.rollouts] for group in groups])
        self._check("deliver", read, len(groups), "prompt")
        for told, group in zip(read, groups, strict=True):
            self._check("deliver", told, len(group.rollouts), "rollout of a prompt")
        return read

    def _check(self, hook: str, found: Sequence[object], count: int, each: str) -> None:
        """Raises ``PluginError``."""
        is_list = isinstance(found, Sequence) and not isinstance(found, str)
        if not is_list or len(found) != count:
            returned = f"{len(found)} entries" if is_list else f"a {type(found).__name__}"
            raise PluginError(f"method {self.name}: {hook} returned {returned}; expected {count}, one per {each}.")

    def _with_demonstrations(self, group: RolloutGroup, exclude_self: bool) -> RolloutGroup:
        chosen = self.demonstrations(group, exclude_self)
        self._check("demonstrations", chosen, len(group.rollouts), "rollout, in their order (None where there is none)")
        shown = tuple(replace(y, demonstration=s) for y, s in zip(group.rollouts, chosen, strict=True))
        return replace(group, rollouts=shown)

    def _with_contexts(self, group: RolloutGroup, told: Sequence[Sequence[Told]]) -> RolloutGroup:
        pairs = zip(group.rollouts, told, strict=True)
        return replace(group, rollouts=tuple(replace(y, context=self._context_of(y, t)) for y, t in pairs))

    def _context_of(self, rollout: Rollout, told: Sequence[Told]) -> Context:
        found = self.context(rollout.demonstration, told)
        if not isinstance(found, Context):
            raise PluginError(
                f"method {self.name}: context returned a {type(found).__name__}; expected Context(demonstration,"
                " feedback)."
            )
        return found
