"""Every registered method keeps the rules of ``coopt.testing.check_method``, and that check finds faults."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import PluginError
from coopt.methods.algorithms.sdpo import SDPO
from coopt.methods.algorithms.sft_union import SFTUnion
from coopt.methods.base import METHODS, Trained, method, with_settings
from coopt.methods.registry import all_methods
from coopt.methods.rollouts import Context, RolloutGroup, Told, all_rollouts
from coopt.methods.step import Learnt, plain_row
from coopt.runs.run import Run
from coopt.testing import check_method

if TYPE_CHECKING:
    from coopt.core.config.schema import Config
    from coopt.methods.step import Step

NEEDS: dict[str, dict[str, Any]] = {
    "honest": {"adversary": {"s2": "empty"}},
    "bigger_teacher": {"options": {"bigger_teacher": {"model": "scimini"}}},
}


@pytest.mark.parametrize("name", all_methods())
def test_a_method_keeps_the_rules(name: str) -> None:
    check_method(name, **NEEDS.get(name, {}))


def test_a_round_of_mutual_distillation_keeps_the_rules() -> None:
    """The first round of ``copd`` by itself is one of reinforcement."""
    check_method("copd", options={"copd": {"cycle": "D"}})


INFORMED = {
    *("critic_reference", "critic_step", "fair", "gold_private", "opsd", "oracle"),
    *("rlsd", "sdft", "sft_union"),
}


@pytest.mark.parametrize("name", all_methods())
def test_who_reads_worked_solutions(name: str, tmp_path: Path) -> None:
    methods = ("sdpo", "opcod", name)
    assert Run(tmp_path, load_config(methods=methods)).is_informed(name) == (name in INFORMED)


@pytest.mark.parametrize(
    ("topology", "style", "informed"),
    [
        ("critic", "step", True),
        ("critic", "anchored", False),  # it is not shown the solution
        ("pair", "step", False),
        ("pair", "reference", True),
    ],
)
def test_tutors_that_read_solutions_inform_who_is_tutored(
    topology: str, style: str, informed: bool, tmp_path: Path
) -> None:
    run = Run(tmp_path, load_config(topology=topology, settings=[f"feedback.style={style}"]))
    assert run.is_informed("opcod") == informed
    assert not run.is_informed("hacpo"), "its peers hand over rollouts, whatever the style of feedback"
    assert not run.is_informed("sdpo")


@pytest.mark.parametrize(("of", "informed"), [("sft_union", True), ("sdpo", False), ("merge_trained", False)])
def test_an_average_is_as_informed_as_what_it_averages(of: str, informed: bool, tmp_path: Path) -> None:
    settings = [f"options.merge_trained.of={of}"]
    run = Run(tmp_path, load_config(methods=("sdpo", "sft_union", "merge_trained"), settings=settings))
    assert run.is_informed("merge_trained") == informed


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Trained]], None]]:
    """Enter a class as an installed package would."""

    def enter(cls: type[Trained]) -> None:
        monkeypatch.setitem(METHODS, cls.name, cls)
        method(cls)
        all_methods.cache_clear()

    yield enter
    all_methods.cache_clear()


@pytest.mark.parametrize("name", ["OPCoD", "Sdpo", "init", "Base", "break_rate"])
def test_no_method_lies_in_the_folder_of_another(name: str, entered: Callable[[type[Trained]], None]) -> None:
    entered(type("Named", (SDPO,), {"name": name}))
    with pytest.raises(PluginError, match=f"method '{name}' would lie in the same folder as"):
        all_methods()


class Forgetful(SDPO):
    """It draws from global state."""

    name = "forgetful"
    description = "a broken method"

    def learn(self, step: Step) -> Learnt:
        groups = step.roll_out()
        rows = [plain_row(y)._replace(weight=random.random() + 0.1) for y in all_rollouts(groups)]
        return Learnt([rows], groups, examples=len(rows))

    def objective(self, config: Config) -> Any:
        from coopt.lm.training.objectives import Imitate

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

    def learn(self, step: Step) -> Learnt:
        return replace(super().learn(step), parts=[])


class Peeping(SFTUnion):
    """It reads worked solutions and does not say so."""

    name = "peeping"
    description = "a broken method"
    informed = False


class Short(SDPO):
    """One rollout of each prompt has no demonstration."""

    name = "short"
    description = "a broken method"

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return super().demonstrations(group, exclude_self)[1:]


class Returnless(SDPO):
    """Its hook forgets to return."""

    name = "returnless"
    description = "a broken method"

    def demonstrations(self, group: RolloutGroup, exclude_self: bool) -> Sequence[str | None]:
        return None  # type: ignore[return-value]


class Hoarding(SDPO):
    """It delivers one prompt's feedback to nobody."""

    name = "hoarding"
    description = "a broken method"

    def deliver(self, told: Sequence[Sequence[Sequence[Told]]]) -> Sequence[Sequence[Sequence[Told]]]:
        return [*told[:-1], told[-1][1:]]


class Loose(SDPO):
    """Its context is a plain pair."""

    name = "loose"
    description = "a broken method"

    def context(self, demonstration: str | None, told: Sequence[Told]) -> Context:
        return (demonstration, None)  # type: ignore[return-value]


class Bare(SDPO):
    """It hands over the rows alone."""

    name = "bare"
    description = "a broken method"

    def learn(self, step: Step) -> Learnt:
        return super().learn(step).parts  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Forgetful, "draw from coopt.core.rng"),
        (Meddling, "must not change seed"),
        (Silent, "method silent: learn returned no parts; expected a list of rows for each update"),
        (Short, "method short: demonstrations returned 3 entries; expected 4, one per rollout, in their order"),
        (Returnless, "method returnless: demonstrations returned a NoneType; expected 4, one per rollout"),
        (Hoarding, "method hoarding: deliver returned 3 entries; expected 4, one per rollout of a prompt"),
        (Loose, r"method loose: context returned a tuple; expected Context\(demonstration, feedback\)"),
        (Bare, r"method bare: learn returned a list; expected Learnt\(parts, groups\)"),
        (Peeping, "other worked solutions must change nothing"),
    ],
)
def test_the_check_finds_faults(entered: Callable[[type[Trained]], None], broken: type[Trained], message: str) -> None:
    entered(broken)
    with pytest.raises(AssertionError, match=message):
        check_method(broken.name)


def test_a_name_that_nobody_entered_is_told() -> None:
    with pytest.raises(AssertionError, match="'nobody' is not registered"):
        check_method("nobody")
