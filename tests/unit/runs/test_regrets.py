"""What an edge is worth to a gate: of all answers, not of those alone that got a message."""

from __future__ import annotations

import numpy as np
import pytest

from coopt.runs.measures.break_rates import Designs, Grids, Tally
from coopt.runs.measures.regrets import added


@pytest.mark.parametrize(("kept", "worth"), [(8, 1.0), (2, 0.25), (1, 0.125)])
def test_an_edge_with_few_kept_messages_adds_little(kept: int, worth: float) -> None:
    """Every message that is kept mends a wrong answer."""
    before, control = np.zeros((2, 10, 8))
    after = np.full((10, 8), np.nan)
    after[:, :kept] = 1
    grids = Grids(np.arange(10), np.zeros(10, int), before, after, np.where(np.isnan(after), np.nan, control))
    assert added(Tally.of(grids), Designs({})) == pytest.approx(worth)


def test_an_edge_without_a_kept_message_is_unknown() -> None:
    nothing = np.full((10, 8), np.nan)
    grids = Grids(np.arange(10), np.zeros(10, int), np.zeros((10, 8)), nothing, nothing)
    assert np.isnan(added(Tally.of(grids), Designs({})))
