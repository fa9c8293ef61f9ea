"""What the gate ``benefit`` reads of a run's break-rate probe."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from coopt.core.config.load import load_config
from coopt.core.errors import ConfigError
from coopt.driver.checks import check_settings
from coopt.runs.measures.effects import probed_effects
from coopt.runs.run import Run

N = 30
EDGE = "s2 -> s1"


def run_with(**edge: list[list[int | None]]) -> Run:
    """Half of the answers right before; without f nothing changes."""
    before = [[1, 0]] * N
    domain = {"items": [f"q{k}" for k in range(N)], "before": before, "again": before, "s": before,
              "paper_control": before, "edges": {EDGE: edge}}  # fmt: skip
    items = [SimpleNamespace(id=f"q{k}", clusters=()) for k in range(N)]
    found: Any = SimpleNamespace(
        domains={"physics": SimpleNamespace(items=lambda split: items)},
        topology=SimpleNamespace(students=["s1"]),
        break_rate=lambda seed, tutee: {"domains": {"physics": domain}},
    )
    return cast(Run, found)


def test_rates_are_beyond_the_controls_and_in_the_papers_context() -> None:
    mixed: list[list[int | None]] = [[0, 1] if k < 6 else [1, 0] for k in range(N)]
    nothing: list[list[int | None]] = [[1, 0]] * N
    (fix, broke) = probed_effects(run_with(f=nothing, sf=nothing, paper=mixed), 0)[EDGE, "physics"]
    assert (fix.value, broke.value) == (pytest.approx(0.2), pytest.approx(0.2))
    assert 0.02 < fix.error < 0.2
    old = probed_effects(run_with(f=nothing, sf=mixed), 0)[EDGE, "physics"]
    assert old[0].value == pytest.approx(0.2), "a probe of an earlier coopt has s and f"


def test_what_was_not_kept_is_not_known_and_too_few_is_hardly_known() -> None:
    silent: list[list[int | None]] = [[None, None]] * N
    assert probed_effects(run_with(f=silent, sf=silent, paper=silent), 0) == {}
    few: list[list[int | None]] = [[0, 1], *silent[1:]]
    fix, broke = probed_effects(run_with(f=few, sf=few, paper=few), 0)[EDGE, "physics"]
    assert (fix.value, broke.value) == (1.0, 1.0)
    assert fix.error >= 0.5


@pytest.mark.parametrize("settings", [{"methods": "benefit"}, {"methods": "opcod", "gate": {"kind": "benefit"}}])
def test_without_a_probe_the_gate_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"gate benefit reads the break-rate probe: set break_rate\.questions"):
        check_settings(load_config(settings=["break_rate.questions=0"], **settings))
