"""Control: one-way on-policy distillation from a larger model, what the same money may buy instead of peers.

Signal and teacher: the logits of the model that ``options.bigger_teacher.model`` names, frozen, after the plain prompt,
in every domain. Objective: that of ``opd``, KL(student || teacher) on own rollouts. Set against ``opd`` (the strongest
student teaches), ``opcod``, ``copd``. On a graph: every student alone with the same teacher. One tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.methods.algorithms.opd import OPD, OPDOptions
from coopt.methods.base import Starts, method

TEACHER = "bigger"
"""What the teacher is called in rows and records."""


class BiggerTeacherOptions(OPDOptions):
    """Settings of distillation from a larger model."""

    model: str = ""
    """The teacher: a model directory, with the students' tokenizer. A study takes about 2.5 times their size."""


@method
class BiggerTeacher(OPD):
    """``opd`` whose teacher is no student of the run."""

    name = "bigger_teacher"
    description = "control: one-way on-policy distillation, by logits, from a larger model that is named"
    against = ("opd", "opcod")
    Options = BiggerTeacherOptions

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        from coopt.lm.alike import check_same_tokenizer
        from coopt.lm.bases import base_directory, check_model_files
        from coopt.methods.students import origins

        if not self.options.model:
            raise ConfigError(
                f"method {self.name} needs its teacher: --set options.{self.name}.model=DIR, a larger model with the"
                " students' tokenizer."
            )
        teacher = base_directory(self.options.model)
        check_model_files(teacher)
        models = {**origins(config), TEACHER: teacher}
        check_same_tokenizer(models, f"method {self.name}: logits are compared token by token, so")

    def outside_teachers(self) -> Mapping[str, str]:
        return {TEACHER: self.options.model}

    def logit_teachers(self, starts: Starts) -> Mapping[str, str]:
        return dict.fromkeys(next(iter(starts.values())), TEACHER)
