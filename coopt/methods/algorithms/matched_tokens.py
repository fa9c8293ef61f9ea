"""Control: a method stopped at the tokens of another, so that the two are compared at equal tokens, not at equal steps.

Everything is that of ``options.matched_tokens.method``. A student whose steps have cost as many tokens (written by it
and for it, and trained on) as all its steps of ``tokens_of`` cost it does nothing in the steps that are left; the step
that reaches the number is the last. Set against both. By default ``opcod``, whose feedback costs tokens, at the tokens
of ``sdpo``. A row of its own and no setting of the run, so that equal steps and equal tokens stand in one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coopt.core.config.schema import ALWAYS_THERE, Config
from coopt.core.config.section import Section
from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.methods.base import METHODS, Average, Starts, Trained, method
from coopt.methods.step import Learnt, Step

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class MatchedTokensOptions(Section):
    """Settings of a method at equal tokens."""

    method: str = "opcod"
    """The method that is stopped, with the options that it has in the run."""
    tokens_of: str = "sdpo"
    """The method at whose tokens, which stands before this one."""


_HOOKS = ("adversaries", "informed", "rolls_out", "frozen_tutors", "reads_peers", "configure", "responses",
          "most_responses", "messages", "graph", "gates", "outside_teachers", "trains_on")  # fmt: skip
"""What a method says of itself, and is here as the other method says."""


@method
class MatchedTokens(Trained):
    """Every hook is the other method's."""

    name = "matched_tokens"
    description = "control: a method (opcod) stopped when it has cost a student the tokens of another (sdpo)"
    against = ("sdpo", "opcod")
    Options = MatchedTokensOptions

    def in_run(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        name = self.options.method
        found = METHODS.get(name)
        if found is None or not issubclass(found, Trained) or found is MatchedTokens:
            raise ConfigError(
                f"setting options.{self.name}.method = '{name}' is not a method that trains (sdpo, opcod, ...)."
            )
        self.inner: Trained = found(found.Options.model_validate(options.get(name, {})))
        self.inner.in_run(options)
        self.tokens_of = self.options.tokens_of
        vars(self).update({hook: getattr(self.inner, hook) for hook in _HOOKS})

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        of, methods = self.options.tokens_of, config.methods
        before = methods[: methods.index(self.name)] if self.name in methods else methods
        if of not in before or of in ALWAYS_THERE or issubclass(METHODS[of], Average):
            raise ConfigError(
                f"method {self.name} stops at the tokens of method {of}, which must train before it in the same run"
                f" (--method {of},{self.name}); another: --set options.{self.name}.tokens_of=NAME."
            )
        self.inner.check(config, domains)

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        return self.inner.logit_teachers(starts)

    def objective(self, config: Config) -> Objective:
        return self.inner.objective(config)

    def learn(self, step: Step) -> Learnt:
        spent = step.tutee.spent + sum(sum(record["tokens"].values()) for record in step.past)
        return Learnt([[]], counts={"stopped": True}) if spent >= step.tutee.budget else self.inner.learn(step)
