"""CoPD (arXiv 2604.27083): rounds of reinforcement on the native domain, and rounds of mutual distillation beside it.

Signal: the reward on the native domain (A = (r - mean) / std); on a peer's native domain that peer's logits. Teacher:
peers on open edges, as they are at the round's start, after the plain prompt. Objective: native rollouts the surrogate
of ``grpo``; own rollouts on a peer's domain the same with A_t = beta sg[log q(y_t) - log p(y_t)], in one update. Set
against ``opd`` (fixed experts), ``grpo``, ``opcod``. On a graph: edge j -> k teaches k on j's native domain; of several
peers of one domain each teaches its share of the rollouts. One tokenizer.

The paper's teachers move with every step; here they stand still in a round, so whole rounds alternate (``cycle``).
Uncertain (notes alone): beta, the share of native prompts, std. Its result is the students' average: ``merge_trained``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.lm.training.base import TrainRow
from coopt.methods.algorithms.peers import AmongPeers, PeerOptions, native_teachers
from coopt.methods.base import method, with_settings
from coopt.methods.rollouts import RolloutGroup
from coopt.methods.step import Step, Tutee, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class CoPDOptions(PeerOptions):
    """Settings of CoPD."""

    cycle: str = Field("RDRDR", pattern="^[RD]+$")
    """Each round, again and again: R reinforcement, D distillation beside it. Five are 3 : 2, the paper's best."""
    beta: float = Field(1.0, gt=0)
    """Weight of what a peer teaches."""
    full: bool = False
    """Whether peers teach by KL(student || peer): the expectation of the paper's sampled token, with less variance."""
    std: bool = True
    """Advantages are divided by the group's sample standard deviation."""


@method
class CoPD(AmongPeers):
    """Reinforcement does not stop while a student is taught."""

    name = "copd"
    description = "rounds of policy gradient on the native domain, and of on-policy distillation among peers by logits"
    against = ("opd", "grpo", "opcod")
    Options = CoPDOptions

    def configure(self, config: Config) -> Config:
        kind = "frozen" if self.options.kl else "live"  # else peers alone are read, and no copy is kept
        return with_settings(super().configure(config), teacher={"kind": kind})

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        from coopt.lm.alike import check_same_tokenizer
        from coopt.methods.students import origins

        super().check(config, domains)
        if "D" not in (self.options.cycle * config.rounds.rounds)[: config.rounds.rounds]:
            raise ConfigError(
                f"method {self.name}: no round distils. Raise rounds.rounds, or set options.copd.cycle=D."
            )
        check_same_tokenizer(origins(config), f"method {self.name}: logits are compared token by token, so")

    def teachers(self, tutee: Tutee) -> dict[str, list[str]]:
        """domain -> who teaches it in this round."""
        return native_teachers(tutee) if (self.options.cycle * tutee.round)[tutee.round - 1] == "D" else {}

    def trains_on(self, tutee: Tutee) -> Sequence[str]:
        every, wanted = super().trains_on(tutee), {tutee.native.get(tutee.name), *self.teachers(tutee)}
        return [d for d in every if d in wanted] or every

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.objectives import ByKind, Distil, PolicyGradient
        from coopt.lm.training.surrogates import Towards

        whole = Distil(Divergence(1.0, config.loss.top_k, config.loss.tail))
        peer = whole if self.options.full else Towards(PolicyGradient(dual_clip=None))
        return ByKind({"": PolicyGradient(kl=self.options.kl), "peer": peer})

    def rows(self, step: Step, group: RolloutGroup) -> list[TrainRow]:
        peers, beta = self.teachers(step.tutee).get(group.item.domain), self.options.beta
        if not peers:
            return super().rows(step, group)
        taught = ((peers[j % len(peers)], y) for j, y in enumerate(group.rollouts))
        return [plain_row(y)._replace(kind="peer", teacher=peer, weight=beta) for peer, y in taught]
