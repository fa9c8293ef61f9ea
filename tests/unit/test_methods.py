"""Every registered method keeps the rules of ``coopt.testing.check_method``, and that check finds faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from coopt.methods.base import METHODS, Trained, method, with_settings
from coopt.methods.registry import all_methods
from coopt.methods.sdpo import SDPO
from coopt.testing import check_method

if TYPE_CHECKING:
    from coopt.config.schema import Config
    from coopt.step import Step
    from coopt.training.base import TrainRow

NEEDS: dict[str, dict[str, Any]] = {"honest": {"adversary": {"s2": "empty"}}}


@pytest.mark.parametrize("name", all_methods())
def test_a_method_keeps_the_rules(name: str) -> None:
    check_method(name, **NEEDS.get(name, {}))


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Trained]], None]]:
    """Enter a class as an installed package would."""

    def enter(cls: type[Trained]) -> None:
        monkeypatch.setitem(METHODS, cls.name, cls)
        method(cls)
        all_methods.cache_clear()

    yield enter
    all_methods.cache_clear()


class Forgetful(SDPO):
    """It draws from global state."""

    name = "forgetful"
    description = "a broken method"

    def learn(self, step: Step) -> list[list[TrainRow]]:
        groups = step.roll_out()
        return [[step.plain_row(g.item, y)._replace(weight=random.random() + 0.1) for g in groups for y in g.rollouts]]

    def objective(self, config: Config) -> Any:
        from coopt.training.objectives import Imitate

        return Imitate()


class Meddling(SDPO):
    """It trains on other seeds than the others."""

    name = "meddling"
    description = "a broken method"

    def configure(self, config: Config) -> Config:
        return with_settings(config.model_copy(update={"seed": 7}))


class Silent(SDPO):
    """It has no part even for an empty update."""

    name = "silent"
    description = "a broken method"

    def learn(self, step: Step) -> list[list[TrainRow]]:
        super().learn(step)
        return []


@pytest.mark.parametrize(
    ("broken", "message"),
    [(Forgetful, "draw from coopt.rng"), (Meddling, "must not change seed"), (Silent, "one part for each update")],
)
def test_the_check_finds_faults(entered: Callable[[type[Trained]], None], broken: type[Trained], message: str) -> None:
    entered(broken)
    with pytest.raises(AssertionError, match=message):
        check_method(broken.name)


def test_a_name_that_nobody_entered_is_told() -> None:
    with pytest.raises(AssertionError, match="'nobody' is not registered"):
        check_method("nobody")
