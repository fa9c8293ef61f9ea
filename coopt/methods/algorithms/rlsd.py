"""RLSD (arXiv 2604.03128): the reward says which way a rollout's tokens go, a self-teacher how far each of them.

Signal: the verifier's reward. Teacher: a copy of the student, taken anew every 20 steps, after the question and the
final answer alone (no working). Objective: the surrogate of ``grpo`` with
A_t = A [(1 - lam) + lam clip(w_t, 1 - e_w, 1 + e_w)], w_t = exp(sign(A) sg[log q(y_t) - log p(y_t)])
(Algorithm 1, line 17), A = (r - mean) / (std + 1e-6) of the group. Set against ``grpo`` with ``std=true`` (lam = 0, but
for the epsilon), ``critic_binary``, ``opsd``, ``sdpo``. On a graph: every student alone.

Eq. 16 prints min[w A, clip(w) A] and no ratio; Algorithm 1 and both codes interpolate with the clipped w, as here. The
mean is the paper's (of rollouts' means); the official code's is over all tokens. ``decay``: paper and launch script let
lam fall to 0 over 50 steps, after which it is GRPO; configuration file and ms-swift keep it (``decay=0``). ``every``:
the launch script's; the file freezes the teacher (``teacher=frozen``), ms-swift's is live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.domains.base import Domain
from coopt.lm.training.base import TrainRow
from coopt.methods.base import Trained, method, with_settings
from coopt.methods.rollouts import Context, all_rollouts
from coopt.methods.step import Learnt, Step

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class RLSDOptions(Section):
    """Settings of RLSD."""

    lam: float = Field(0.5, ge=0, le=1)
    """How much of an advantage the teacher shares out."""
    decay: int = Field(50, ge=0)
    """Steps over which lam falls to 0; 0: it does not."""
    clip_weight: float = Field(0.2, ge=0, lt=1)
    """A token's weight lies within 1 plus or minus this."""
    teacher: Literal["copied", "frozen", "live"] = "copied"
    """copied: the student of every ``every`` steps. frozen: the initial one. live: the present one."""
    every: int = Field(20, ge=1)
    """Steps between two copies."""


@method
class RLSD(Trained):
    """A group that is all right or all wrong has no advantage, and teaches nothing."""

    name = "rlsd"
    description = "policy gradient whose advantage a self-teacher that sees the answer shares out over the tokens"
    against = ("grpo", "critic_binary")
    informed = True
    Options = RLSDOptions

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        """The answer that the verifier knows is enough: no worked solution is read."""

    def configure(self, config: Config) -> Config:
        own = self.options
        kind = "ema" if own.teacher == "copied" else own.teacher
        return with_settings(config, teacher={"kind": kind, "rate": 1.0, "every": own.every})

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import PolicyGradient
        from coopt.lm.training.surrogates import Redistributed

        return Redistributed(PolicyGradient(), self.options.clip_weight)

    def learn(self, step: Step) -> Learnt:
        groups, too_long = step.roll_out(), 0
        rows: list[TrainRow] = []
        own = self.options
        lam = own.lam * max(0.0, 1 - step.number / own.decay) if own.decay else own.lam
        for group in groups:
            mean, spread = fmean(group.rewards), stdev(group.rewards) + 1e-6
            for y in group.rollouts:
                if y.reward != mean:
                    told = replace(y, context=Context(None, None, reference=y.item.answer))
                    made, missed = step.distil([told])
                    rows += [row._replace(advantage=(y.reward - mean) / spread, given=lam) for row in made]
                    too_long += missed
        return Learnt([rows], groups, examples=len(all_rollouts(groups)), too_long=too_long)
