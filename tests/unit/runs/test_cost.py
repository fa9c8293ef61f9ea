"""What a step costs: idle ones are none."""

from __future__ import annotations

from typing import Any

import pytest

from coopt.reports.leaderboard.add import _costs
from coopt.runs.measures.cost import cost_cells
from tests.unit.small_runs import step_of

IDLE = {"stopped": True, "distinct_rows": 0, "active_rows": 0}
NOTHING = {"seconds": dict.fromkeys(("rollout", "feedback", "teacher", "student", "total"), 0.0),
           "tokens": {"rollout": 0, "feedback": 0, "trained": 0}}  # fmt: skip


def steps(working: int, idle: int) -> list[dict[str, Any]]:
    made = [step_of(k) | (IDLE | NOTHING if k >= working else {}) for k in range(working + idle)]
    return [s | {"method": "matched_tokens", "place": k} for k, s in enumerate(made)]


@pytest.mark.parametrize("idle", [0, 12])
def test_steps_after_the_stop_make_none_cheaper(idle: int) -> None:
    (cell,) = cost_cells(steps(4, idle), ["matched_tokens"])
    assert (cell.steps, cell.seconds_per_step) == (4, 2.0)
    (cost,) = _costs(steps(4, idle))
    assert cost.seconds_per_step == 2.0
    assert cost.steps == 4 + idle, "those of rounds, students and seeds, as the check of an entry expects"
    assert cost.tokens.rollout == 400


def test_a_method_that_was_idle_throughout_has_a_row() -> None:
    (cell,) = cost_cells(steps(0, 3), ["matched_tokens"])
    assert (cell.steps, cell.seconds_per_step) == (3, 0.0)
