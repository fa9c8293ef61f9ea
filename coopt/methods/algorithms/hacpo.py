"""HACPO (arXiv 2603.02604 v1): learners of unequal strength train on one another's verified rollouts.

Signal: the verifier's reward of own and peers' rollouts of a prompt. Teacher: none. Objective: A = (r - mu) / sigma, mu
the mean of own rewards and of omega(k, j) times peer j's (Eq. 5 to 7), omega the ratio of mean rewards over five steps;
own rollouts min(s A, clip(s) A), foreign c sg[c]^alpha omega(j, k) A with c = clip(s, low, 1), s the ratio of mean
log-probabilities, each over its reader's tokens (Eq. 8, 11 to 13); a mean over all. Set against ``grpo`` (no peers),
``sdpo_2n`` (as many rollouts), ``opcod``. On a graph: peers are the tutors on open edges between students; without any
it is GSPO. Tokenizers may differ: what is exchanged is text and one number.

Peers are those of the round's start, on the tutee's prompts (the paper's learners train at once). ``low``: section 3.4
says delta = 0.2, Table 5 says 0.8, which is the bound itself: 0.8. Eq. 10 has the source's advantage, Eq. 50 and the
code the learner's: the learner's. ``kl``: the script has 0.001, the text none: none.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.lm.training.base import TrainRow
from coopt.methods.algorithms.peers import AmongPeers, PeerOptions
from coopt.methods.base import method
from coopt.methods.foreign import SharedPrompt, SharedRollouts, share_rollouts
from coopt.methods.step import Learnt, Step, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class HACPOOptions(PeerOptions):
    """Settings of HACPO."""

    low: float = Field(0.8, ge=0, le=1)
    """Lower bound of a foreign rollout's ratio; above 1 it has no gradient. Table 5: 0.9 for two of its pairs."""
    low_step: float = Field(0.025, ge=0)
    """What the bound rises by with each update of a step."""
    alpha: float = Field(1.0, ge=0)
    """Power of the bounded ratio by which a foreign rollout counts less (3 for two of the paper's pairs)."""
    clip_low: float = Field(3e-4, ge=0, lt=1)
    """An own rollout's ratio is clipped below at 1 minus this."""
    clip_high: float = Field(4e-4, ge=0)
    """And above at 1 plus this."""
    window: int = Field(5, ge=1)
    """Steps over which mean rewards are compared (scripts 5, configuration class 10)."""
    bound: float = Field(10.0, ge=1)
    """The ratio of capabilities lies within this and its inverse (code; no bound in the text). 1: peers count alike."""


@method
class HACPO(AmongPeers):
    """What every rollout is worth is worked out in ``coopt.methods.foreign``."""

    name = "hacpo"
    description = "policy gradient on own and peers' rollouts, weighed by who is more able and how likely they are"
    against = ("grpo", "opcod")
    Options = HACPOOptions

    def responses(self, config: Config, tutors: int) -> float:
        return config.rounds.rollouts * (1 + tutors)

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import ByKind, PolicyGradient
        from coopt.lm.training.surrogates import ForeignSequences, Sequences

        own = self.options
        found: dict[str, Objective] = {"": Sequences(own.clip_low, own.clip_high)}
        for update in range(own.updates):
            found[f"foreign {update}"] = ForeignSequences(min(own.low + update * own.low_step, 1.0), own.alpha)
        return ByKind(found | ({"kl": PolicyGradient(kl=1.0)} if own.kl else {}))

    def learn(self, step: Step) -> Learnt:
        own, shared = self.options, share_rollouts(step, self.options.window, self.options.bound)
        size = len(step.items) // own.updates
        parts = [self._rows(step, shared, m, shared.prompts[m * size : (m + 1) * size]) for m in range(own.updates)]
        return shared.learnt(parts)

    def _rows(self, step: Step, shared: SharedRollouts, update: int, prompts: Sequence[SharedPrompt]) -> list[TrainRow]:
        mine = [plain_row(y)._replace(advantage=a) for p in prompts for y, a in p.own]
        if self.options.updates > 1:  # else the student is still the one that has written them
            old = step.reader.logprobs([(row.student_prompt, row.response) for row in mine])
            mine = [row._replace(given=fmean(said)) for row, said in zip(mine, old, strict=True)]
        theirs = [row._replace(kind=f"foreign {update}") for p in prompts for row in p.foreign]
        weight = self.options.kl * shared.examples / max(1, shared.own_examples)  # its mean is over own rollouts
        held = [row._replace(advantage=0.0, kind="kl", weight=weight, given=None) for row in mine if weight]
        return [*(row for row in (*mine, *theirs) if row.advantage), *held]
