"""How much of the oracle's gain a method reaches: a ratio with its interval, where the oracle's is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from coopt.runs.measures.summary import read_results
from coopt.runs.results import ComparisonCell
from tests.unit.small_runs import write_run


def comparisons(run: Path, oracle: float) -> dict[str, ComparisonCell]:
    """Over all students, against sdpo; the oracle's chance of a right answer is given."""
    skill = {"sdpo": 0.4, "shuffled": 0.55, "oracle": oracle}
    write_run(run, skill, methods=("sdpo", "shuffled", "oracle"), seeds=4, settings=["data.test=60"])
    return {c.method: c for c in read_results(run).comparisons if c.student == "all" and c.baseline == "sdpo"}


def test_the_share_is_that_of_the_differences_within_its_interval(tmp_path: Path) -> None:
    found = comparisons(tmp_path, 0.95)
    assert found["oracle"].verdict == "better"
    assert found["oracle"].of_oracle is None
    assert found["shuffled"].of_oracle is not None
    share, low, high = found["shuffled"].of_oracle
    assert share == pytest.approx(found["shuffled"].difference / found["oracle"].difference)
    assert low <= share <= high
    assert 0 < share < 0.5


def test_of_a_gain_that_is_not_shown_there_is_no_share(tmp_path: Path) -> None:
    found = comparisons(tmp_path, 0.4)
    assert found["oracle"].verdict != "better"
    assert found["shuffled"].of_oracle is None
