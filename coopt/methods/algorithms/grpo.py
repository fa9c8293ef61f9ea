"""GRPO: group-relative policy gradient, every student alone.

A_j = r_j - mean(r_1..r_n) over the n rollouts of a prompt; L = mean over rollouts of (1/|y|) sum_t of the clipped
surrogate (``coopt.lm.training.objectives.PolicyGradient``). Defaults are those of SDPO's baseline (method facts C.1):
mean-only advantage, clip 0.2 / 0.28, dual clip 3, no KL. The classic form: ``options.grpo.std=true``,
``clip_high=0.2``, ``dual_clip=0``, ``kl=0.04``.

The papers have it twice. Their baseline takes several updates of each step's rollouts at a learning rate of its own
(``updates=4``, ``lr=1e-6`` for 8B models, a tenth of SDPO's); "on-policy GRPO" is one update a step at SDPO's learning
rate: what ``grpo`` is here without options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.lm.training.base import TrainRow
from coopt.methods.base import Trained, method, with_settings
from coopt.methods.rollouts import RolloutGroup, all_rollouts
from coopt.methods.step import Learnt, Step, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective

_EPSILON = 1e-4  # keeps a group of equal rewards finite


class GRPOOptions(Section):
    """Settings of GRPO."""

    std: bool = False
    """Advantages are divided by the group's sample standard deviation (n - 1) too."""
    clip_low: float = Field(0.2, ge=0, lt=1)
    """The ratio of a token's probabilities is clipped below at 1 minus this."""
    clip_high: float = Field(0.28, ge=0)
    """And above at 1 plus this."""
    dual_clip: float = Field(3.0, ge=0)
    """Bound of the loss of a rollout with negative advantage, in advantages; 0: none."""
    kl: float = Field(0.0, ge=0)
    """Weight of KL(student || initial student)."""
    updates: int = Field(1, ge=1)
    """Optimizer updates a step, each on its share of the prompts."""
    lr: float | None = Field(None, gt=0)
    """Its learning rate; None: the run's."""


@method
class GRPO(Trained):
    """The reward alone: what a rollout did better than the others of its prompt."""

    name = "grpo"
    description = "group-relative policy gradient on the reward, no tutors"
    against: ClassVar[tuple[str, ...]] = ("opcod",)
    Options: ClassVar[type[Section]] = GRPOOptions

    def configure(self, config: Config) -> Config:
        teacher = {"kind": "frozen"}  # the reference of the KL term
        return with_settings(config, teacher=teacher, optimizer={"lr": self.options.lr or config.optimizer.lr})

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        if config.rounds.prompts % self.options.updates:
            raise ConfigError(
                f"setting options.{self.name}.updates = {self.options.updates} does not divide rounds.prompts ="
                f" {config.rounds.prompts}."
            )

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import PolicyGradient

        own = self.options
        return PolicyGradient(own.clip_low, own.clip_high, own.dual_clip or None, own.kl)

    def learn(self, step: Step) -> Learnt:
        groups = step.roll_out()
        rows = [self.rows(step, group) for group in groups]
        # Whole prompts a part: a group's advantages are relative to each other.
        size = len(rows) // self.options.updates
        parts = [[row for group in rows[k : k + size] for row in group] for k in range(0, len(rows), size)]
        return Learnt(parts, groups, examples=len(all_rollouts(groups)))

    def rows(self, step: Step, group: RolloutGroup) -> list[TrainRow]:
        """Of one prompt."""
        return [
            plain_row(y)._replace(advantage=advantage)
            for y, advantage in zip(group.rollouts, self.advantages(group.rewards), strict=True)
            if advantage or self.options.kl  # without either there is no gradient
        ]

    def advantages(self, rewards: Sequence[float]) -> list[float]:
        """A of each rollout of a group."""
        mean = fmean(rewards)
        # Sample deviation (n - 1), as ``torch.std`` has it.
        spread = stdev(rewards) + _EPSILON if self.options.std else 1.0
        return [(r - mean) / spread for r in rewards]
