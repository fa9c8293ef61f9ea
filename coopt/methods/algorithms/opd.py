"""One-way on-policy distillation: what co-distillation is set against.

L = E_{y ~ student(.|x)} [ (1/|y|) sum_t D( student(.|x, y_<t) || teacher_d(.|x, y_<t) ) ]

for a question x of domain d, where teacher_d is the frozen start of the student that is strongest there. The teachers
are the run's own N initial students, so nothing enters that the other methods do not have; they read the plain prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from coopt.core.config.schema import Config
from coopt.core.config.section import Section
from coopt.domains.base import Domain
from coopt.methods.base import Starts, Trained, method, with_settings
from coopt.methods.rollouts import all_rollouts
from coopt.methods.step import Learnt, Step, plain_row

if TYPE_CHECKING:
    from coopt.lm.training.objectives import Objective


class OPDOptions(Section):
    """Settings of one-way distillation."""

    alpha: float = Field(1.0, ge=0, le=1)
    """Of the divergence; top_k and tail are the run's. 1, KL(student || teacher), is what multi-teacher on-policy
    distillation minimises (MiMo-V2-Flash, MOPD, DeepSeek-V4)."""


@method
class OPD(Trained):
    """The strongest start of each domain teaches everybody by its logits; its own student it holds in place."""

    name = "opd"
    description = "one-way on-policy distillation from each domain's strongest initial student, by logits"
    against: ClassVar[tuple[str, ...]] = ("opcod",)
    Options = OPDOptions

    def configure(self, config: Config) -> Config:
        return with_settings(config, teacher={"kind": "live"})  # no self-teacher is read, so no copy is kept

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        from coopt.lm.alike import check_same_tokenizer
        from coopt.methods.students import origins

        check_same_tokenizer(origins(config), f"method {self.name}: logits are compared token by token, so")

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        domains = next(iter(starts.values()))
        return {d: max(starts, key=lambda student: starts[student][d]) for d in domains}  # the first of equals

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.losses import Divergence
        from coopt.lm.training.objectives import Distil

        return Distil(Divergence(self.options.alpha, config.loss.top_k, config.loss.tail))

    def learn(self, step: Step) -> Learnt:
        groups, teachers = step.roll_out(), step.tutee.logit_teachers
        # Every rollout has a target: the teacher needs no context to differ from the student.
        rows = [plain_row(y)._replace(teacher=teachers[y.item.domain]) for y in all_rollouts(groups)]
        return Learnt([rows], groups, examples=len(rows))
