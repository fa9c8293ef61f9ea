"""SRPO (arXiv 2604.02288): right rollouts learn by the reward, wrong ones from a right sibling.

Signal: the reward, and c = s where a rollout is wrong and a sibling is right (z_i = (1 - c_i) m_i). Teacher: the run's
self-teacher, as in ``sdpo``. Objective: L = [sum over rewarded tokens of -surr(rho, A_i) + sum over distilled tokens of
w_t JSD_t] / (number of all tokens), A_i = r_i - mean of the whole group, w_t = e^(-beta H_t) over its mean, H_t the
entropy of the teacher. Set against ``grpo``, ``sdpo``, ``opcod``. On a graph: every student alone.

No official code. Not said, decided here: no standard deviation (the paper's settings; its section 2.1 writes one), both
means over the whole batch, H over the whole vocabulary. ``mean=rollouts``: coopt's mean of rollouts' means.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.lm.training.base import TrainRow
from coopt.methods.base import Trained, method
from coopt.methods.rollouts import Context, RolloutGroup, earliest_correct
from coopt.methods.step import Learnt, Step, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective
    from coopt.lm.training.surrogates import Sure


class SRPOOptions(Section):
    """Settings of SRPO."""

    beta: float = Field(1.0, ge=0)
    """How much less a token counts of which the teacher is unsure; 0: all alike."""
    mean: Literal["tokens", "rollouts"] = "tokens"
    """What the loss is the mean over; tokens: long rollouts count more (the paper)."""


@method
class SRPO(Trained):
    """Every rollout goes one way: without a right sibling a wrong one is GRPO's, with A = 0 if nobody is right."""

    name = "srpo"
    description = "policy gradient on right rollouts, self-distillation on wrong ones whose prompt has a right one"
    against = ("grpo", "opcod")
    Options = SRPOOptions

    def sure(self, config: Config) -> Sure:
        """The loss of a distilled token."""
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.surrogates import Sure

        return Sure(Divergence(config.loss.alpha, config.loss.top_k, config.loss.tail), self.options.beta)

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import ByKind, PolicyGradient

        return ByKind({"rewarded": PolicyGradient(), "distilled": self.sure(config)})

    def learn(self, step: Step) -> Learnt:
        groups = [_shown(g) for g in step.roll_out()]
        rollouts = [(y, fmean(g.rewards)) for g in groups for y in g.rollouts]
        distilled, too_long = step.distil(y for y, _ in rollouts)
        rewarded = [(y, y.reward - mean) for y, mean in rollouts if y.demonstration is None]
        tokens = sum(len(y.tokens) for y, _ in rewarded) + sum(len(row.response) for row in distilled)
        rows = [plain_row(y)._replace(advantage=a, kind="rewarded") for y, a in rewarded if a]
        rows += self._weighed(step, [row._replace(kind="distilled") for row in distilled])
        if self.options.mean == "tokens":  # of N rows' means, |y| N / T of each is the mean over T tokens
            rows = [r._replace(weight=r.weight * len(r.response) * len(rollouts) / tokens) for r in rows]
        return Learnt([rows], groups, examples=len(rollouts), too_long=too_long)

    def _weighed(self, step: Step, rows: list[TrainRow]) -> list[TrainRow]:
        """Over the mean of e^(-beta H) of all their tokens."""
        if not rows or not self.options.beta:
            return rows
        sureness = step.reader.measure(rows, self.sure(step.config).sureness)
        mean = fmean(x for row in sureness for x in row)
        return [row._replace(weight=1 / mean) for row in rows]


def _shown(group: RolloutGroup) -> RolloutGroup:
    """The group; a wrong rollout with a right sibling is shown it."""
    siblings = earliest_correct(group, exclude_self=True)
    routed = [
        y if y.correct or s is None else replace(y, demonstration=s, context=Context(s, None))
        for y, s in zip(group.rollouts, siblings, strict=True)
    ]
    return replace(group, rollouts=tuple(routed))
