"""Weight averages: what of a gain is there without any training, and what co-training adds to it.

With adapters on a shared base too it is the published weights that are averaged (base plus adapter). The mean of the
adapters' factors would be another model: the product of two means has cross terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from coopt.core.config.schema import ALWAYS_THERE
from coopt.core.config.section import Section
from coopt.core.errors import ConfigError
from coopt.domains.base import Domain
from coopt.methods.base import Trained, method

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.lm.training.base import TrainRow
    from coopt.lm.training.objectives import Objective
    from coopt.methods.step import Step


@method
class Merge(Trained):
    """Every student becomes the mean of all initial students. One round, and nothing is trained in it."""

    name = "merge"
    description = "control: every student is the average of the initial students' weights; nothing is trained"
    against: ClassVar[tuple[str, ...]] = ("opcod",)

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        from coopt.lm.alike import check_same_shapes, check_same_tokenizer
        from coopt.methods.students import origins

        why = f"method {self.name}: weights are averaged one by one, so"
        check_same_shapes(origins(config), why)
        check_same_tokenizer(origins(config), why)

    def rounds(self, config: Config) -> int:
        return 1

    def averages(self) -> str:
        return "init"

    def objective(self, config: Config) -> Objective:
        from coopt.lm.training.objectives import Imitate

        return Imitate()  # of no rows: needs no teacher

    def learn(self, step: Step) -> list[list[TrainRow]]:
        return [[]]  # a step has nothing to train on


class MergeTrainedOptions(Section):
    """Settings of the average of trained students."""

    of: str = "opcod"
    """The method whose students are averaged, as they are after its last round."""


@method
class MergeTrained(Merge):
    """Every student becomes the mean of the students that another method of the run trained."""

    name = "merge_trained"
    description = "control: every student is the average of the students that another method (opcod) trained"
    against = ("opcod", "merge")
    Options = MergeTrainedOptions

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        of, methods = self.options.of, config.methods
        before = methods[: methods.index(self.name)] if self.name in methods else methods
        if of not in before or of in ALWAYS_THERE:
            raise ConfigError(
                f"method {self.name} averages the students of method {of}, which must stand before it in the same run"
                f" (--method sdpo,{of},{self.name}); another: --set options.{self.name}.of=NAME."
            )
        super().check(config, domains)

    def averages(self) -> str:
        return str(self.options.of)
