"""Weight averages: what of a gain is there without any training, and what co-training adds to it.

With adapters on a shared base too it is the published weights that are averaged (base plus adapter). The mean of the
adapters' factors would be another model: the product of two means has cross terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from coopt.core.config.schema import ALWAYS_THERE, Config
from coopt.core.config.section import Section
from coopt.core.errors import ConfigError
from coopt.core.names import INIT
from coopt.domains.base import Domain
from coopt.lm.alike import check_same_shapes, check_same_tokenizer
from coopt.methods.base import Average, method
from coopt.methods.students import origins


@method
class MergeInitial(Average):
    """Every student becomes the mean of all initial students."""

    name = "merge"
    description = "control: every student is the average of the initial students' weights; nothing is trained"
    against: ClassVar[tuple[str, ...]] = ("opcod",)

    @property
    def of(self) -> str:
        return INIT

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        why = f"method {self.name}: weights are averaged one by one, so"
        check_same_shapes(origins(config), why)
        check_same_tokenizer(origins(config), why)


class MergeTrainedOptions(Section):
    """Settings of the average of trained students."""

    of: str = "opcod"
    """The method whose students are averaged, as they are after its last round."""


@method
class MergeTrained(MergeInitial):
    """Every student becomes the mean of the students that another method of the run trained."""

    name = "merge_trained"
    description = "control: every student is the average of the students that another method (opcod) trained"
    against = ("opcod", "merge")
    Options = MergeTrainedOptions

    @property
    def of(self) -> str:
        return str(self.options.of)

    def check(self, config: Config, domains: Mapping[str, Domain]) -> None:
        of, methods = self.of, config.methods
        before = methods[: methods.index(self.name)] if self.name in methods else methods
        if of not in before or of in ALWAYS_THERE:
            raise ConfigError(
                f"method {self.name} averages the students of method {of}, which must stand before it in the same run"
                f" (--method sdpo,{of},{self.name}); another: --set options.{self.name}.of=NAME."
            )
        super().check(config, domains)
