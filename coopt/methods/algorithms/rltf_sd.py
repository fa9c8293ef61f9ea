"""RLTF-SD (arXiv 2602.02482): the plain policy is trained on its own revisions after a critique.

Signal: the verifier's reward of attempt y0 ~ p(.|x0) and revision y1 ~ p(.|x1), x1 = question, attempt, critique. Only
wrong attempts are criticised and revised. Teacher: none. Objective: the policy gradient on (x0, y1) with
kappa (r1 - b0), b0 = mean r0, where log p(y1_t|x0) >= floor; beside it that on (x0, y0) with R - mean R,
R = r0 + gamma r1, and on (x1, y1) with r1 - mean r1; a sum over tokens, over the first attempts. Set against ``opcod``
(the same words, as a teacher's context), ``grpo``, ``self_feedback``. On a graph: critiques come from the tutors behind
their gates, as in ``opcod``, in place of the paper's judge, which sees the answer.
``baseline``: the paper's is the first turn's mean; the released code's switch never arrives: the second's (``second``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.lm.training.base import TrainRow
from coopt.methods.algorithms.opcod import OPCoD
from coopt.methods.base import method
from coopt.methods.revisions import Revisions, noted, revise, turns
from coopt.methods.rollouts import RolloutGroup, all_rollouts
from coopt.methods.step import Learnt, Step, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class RLTFSDOptions(Section):
    """Settings of RLTF-SD."""

    kappa: float = Field(0.1, ge=0)
    """Weight of revisions read after the plain question (the code calls it rl_coef)."""
    gamma: float = Field(0.1, ge=0, le=1)
    """What a revision's reward counts for its first attempt."""
    floor: float = -5.0
    """Tokens of a revision that are less likely after the plain question (log-probability) have no loss."""
    baseline: Literal["first", "second"] = "first"
    """Of whose rewards the mean is taken off a revision's: the attempts' (paper) or the revisions' (released code)."""
    rewards: bool = True
    """Whether attempts and revisions also learn by their rewards, each after its own prompt (both have it)."""
    reduce: Literal["sum", "mean"] = "sum"
    """Over a response's tokens. sum: as published. mean: as this suite's other methods."""


@method
class RLTFSD(OPCoD):
    """Tutors write as in ``opcod``; what a student makes of it, it learns to write without."""

    name = "rltf_sd"
    description = "the plain policy learns, by reward, from its own revisions after tutors' critiques"
    against = ("opcod", "grpo")
    Options = RLTFSDOptions

    def responses(self, config: Config, tutors: int) -> float:
        return config.rounds.rollouts * (1.5 if tutors else 1.0)  # if half of the attempts are wrong

    def most_responses(self, config: Config, tutors: int) -> float:
        return config.rounds.rollouts * (2 if tutors else 1)  # every attempt is wrong, and is written once more

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import ByKind, PolicyGradient
        from coopt.lm.training.surrogates import Floored

        return ByKind({"": (own := PolicyGradient(dual_clip=None)), "plain": Floored(own, self.options.floor)})

    def learn(self, step: Step) -> Learnt:
        groups = step.ask_tutors(step.roll_out(), about=lambda y: not y.correct)
        both = list(zip(groups, revise(step, groups), strict=True))
        kept = [y for _, revisions in both for y in revisions if y is not None]
        return Learnt(
            [[row for pair in both for row in self._rows(*pair)]],
            [noted(*pair) for pair in both],
            examples=len(all_rollouts(groups)),
            more_tokens=sum(len(y.tokens) for y in kept),
            counts={"revisions": len(kept), "revised": sum(y.correct for y in kept)},
        )

    def _rows(self, group: RolloutGroup, revisions: Revisions) -> Iterator[TrainRow]:
        own, r1 = self.options, [None if y is None else y.reward for y in revisions]
        worth = turns(group.rewards, r1, own.gamma, first_baseline=own.baseline == "first")
        made = [plain_row(y)._replace(advantage=a) for y, a in zip(group.rollouts, worth.first, strict=True)]
        made = made * own.rewards
        for y0, y1, second, plain in zip(group.rollouts, revisions, worth.second, worth.plain, strict=True):
            if y1 is not None and second is not None and plain is not None:
                # The engine's log-probs are of y1 after x1: after x0 it was drawn by nobody.
                made.append(TrainRow(y0.prompt, y0.prompt, y1.tokens, advantage=own.kappa * plain, kind="plain"))
                made += [plain_row(y1)._replace(advantage=second)] * own.rewards
        weighed = (r._replace(weight=float(len(r.response)) if own.reduce == "sum" else 1.0) for r in made)
        return (row for row in weighed if row.advantage)
